// Writes stdin with this toolchain's own encoder.
//
// Usage: go FORMAT LEVEL [write=N] [flush=N] [stream=N]
//
// FORMAT is gzip, zlib or flate; write cuts the input in writes of N bytes, flush flushes after
// every N bytes; stream writes N bytes at a time and never holds more.
package main

import (
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

type writer interface {
	io.WriteCloser
	Flush() error
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func open(format string, level int) (w writer, err error) {
	switch format {
	case "gzip":
		return gzip.NewWriterLevel(os.Stdout, level)
	case "zlib":
		return zlib.NewWriterLevel(os.Stdout, level)
	default:
		return flate.NewWriter(os.Stdout, level)
	}
}

// stream writes stdin in pieces as large as the buffer, for content that does not fit in memory.
func stream(w writer, buffer []byte) {
	for {
		n, end := io.ReadFull(os.Stdin, buffer)
		_, err := w.Write(buffer[:n])
		check(err)
		if end == io.EOF || end == io.ErrUnexpectedEOF {
			check(w.Close())
			return
		}
		check(end)
	}
}

func main() {
	level, err := strconv.Atoi(os.Args[2])
	check(err)
	w, err := open(os.Args[1], level)
	check(err)
	options := map[string]int{}
	for _, arg := range os.Args[3:] {
		name, value, _ := strings.Cut(arg, "=")
		options[name], err = strconv.Atoi(value)
		check(err)
	}
	if size := options["stream"]; size > 0 {
		stream(w, make([]byte, size))
		return
	}
	data, err := io.ReadAll(os.Stdin)
	check(err)
	size, flush := options["write"], options["flush"]
	for done := 0; len(data) > 0; {
		n := len(data)
		if size > 0 && size < n {
			n = size
		}
		if flush > 0 && flush-done%flush < n {
			n = flush - done%flush
		}
		_, err := w.Write(data[:n])
		check(err)
		data = data[n:]
		done += n
		if flush > 0 && done%flush == 0 {
			check(w.Flush())
		}
	}
	check(w.Close())
}
