// Writes the tar on stdin as a layer, the way builders in Go do.
//
// Usage: layer builder|estargz LEVEL
//
// builder puts a tar writer on a gzip writer and copies files through a buffer of 32 KiB, as BuildKit and
// containerd do. estargz starts a gzip member at every file and every 4 MiB of a file, and ends with a table
// of contents and a footer in members of their own.
package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
)

const chunk = 4 << 20

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// reader hides io.WriterTo, so that io.CopyBuffer uses its buffer.
type reader struct{ io.Reader }

type writer struct{ io.Writer }

func builder(level int) {
	gz, err := gzip.NewWriterLevel(os.Stdout, level)
	check(err)
	tw := tar.NewWriter(gz)
	buffer := make([]byte, 32<<10)
	tr := tar.NewReader(os.Stdin)
	for {
		header, err := tr.Next()
		if err == io.EOF {
			break
		}
		check(err)
		check(tw.WriteHeader(header))
		_, err = io.CopyBuffer(writer{tw}, reader{tr}, buffer)
		check(err)
	}
	check(tw.Close())
	check(gz.Close())
}

// members writes to a gzip member and starts another on demand.
type members struct {
	gz    *gzip.Writer
	level int
	count int64
}

func (m *members) Write(p []byte) (int, error) { return m.gz.Write(p) }

// next ends the member and starts one; its place in the stream.
func (m *members) next() int64 {
	if m.gz != nil {
		check(m.gz.Close())
	}
	var err error
	m.gz, err = gzip.NewWriterLevel((*counter)(&m.count), m.level)
	check(err)
	return m.count
}

// counter counts what goes to stdout.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	n, err := os.Stdout.Write(p)
	*c += counter(n)
	return n, err
}

type entry struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	Offset int64  `json:"offset"`
}

func estargz(level int) {
	out := &members{level: level}
	tw := tar.NewWriter(out)
	var table []entry
	tr := tar.NewReader(os.Stdin)
	for {
		header, err := tr.Next()
		if err == io.EOF {
			break
		}
		check(err)
		// Padding belongs to the member of its file.
		if out.gz != nil {
			check(tw.Flush())
		}
		table = append(table, entry{header.Name, header.Size, out.next()})
		check(tw.WriteHeader(header))
		for left := header.Size; left > 0; left -= chunk {
			if left < header.Size {
				out.next()
			}
			_, err := io.CopyN(tw, tr, min(left, chunk))
			check(err)
		}
	}
	check(tw.Flush())
	text, err := json.MarshalIndent(table, "", "\t")
	check(err)
	offset := out.next()
	header := tar.Header{Typeflag: tar.TypeReg, Name: "stargz.index.json", Size: int64(len(text))}
	check(tw.WriteHeader(&header))
	_, err = tw.Write(text)
	check(err)
	check(tw.Close())
	check(out.gz.Close())
	footer, err := gzip.NewWriterLevel(os.Stdout, gzip.NoCompression)
	check(err)
	footer.Header.Extra = fmt.Appendf([]byte{'S', 'G', 22, 0}, "%016xSTARGZ", offset)
	check(footer.Close())
}

func main() {
	level, err := strconv.Atoi(os.Args[2])
	check(err)
	if os.Args[1] == "builder" {
		builder(level)
	} else {
		estargz(level)
	}
}
