module encoders/layer

go 1.21
