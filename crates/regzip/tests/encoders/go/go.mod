module encoders/go

go 1.21
