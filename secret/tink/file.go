package tink

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// maxFile bounds what is read; a keyset of a hundred keys has 20 KB.
const maxFile = 1 << 20

// Open reads a keyset that Save wrote, or any cleartext Tink keyset in JSON with
// AEAD keys. A file that others than its owner may read or write is refused, but
// that a group may read one which root owns, as a mounted secret is.
func Open(file string) (*Keyset, error) {
	k, err := open(file)
	if err != nil {
		return nil, fmt.Errorf("keyset file %s: %w", file, err)
	}
	return k, nil
}

func open(file string) (*Keyset, error) {
	data, info, err := read(file)
	if err != nil {
		return nil, err
	}
	if !private(info) {
		return nil, fmt.Errorf("its mode %#o lets others than its owner at the keys: chmod 600 it", info.Mode().Perm())
	}
	return parse(data)
}

// Save writes the keyset to a file, in the clear, that its owner alone may read,
// at once and whole. It refuses to replace a keyset that has an enabled key which
// this one lacks: that would be another one, or one that was changed meanwhile.
func (k *Keyset) Save(file string) error {
	if err := k.save(file, k.cleartext(), open); err != nil {
		return fmt.Errorf("save keyset file %s: %w", file, err)
	}
	return nil
}

func (k *Keyset) save(file string, data []byte, open func(file string) (*Keyset, error)) error {
	was, err := open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return write(file, data, os.Link) // not over what another made meanwhile
	}
	if err != nil {
		return fmt.Errorf("what is there cannot be replaced: %w", err)
	}
	for _, key := range was.keys {
		if _, kept := k.find(key.ID); !kept && !key.Disabled {
			return fmt.Errorf("the keyset that is there has key %s, which this one lacks: "+
				"change that keyset instead, or save to another file", key.ID)
		}
	}
	return write(file, data, os.Rename)
}

func read(file string) ([]byte, fs.FileInfo, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, reason(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, reason(err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	return data, info, reason(err)
}

// write makes a file beside and puts it into its place.
func write(file string, data []byte, place func(from, to string) error) error {
	beside, err := os.CreateTemp(filepath.Dir(file), ".keyset-*") // with mode 0600
	if err != nil {
		return reason(err)
	}
	defer func() { _ = os.Remove(beside.Name()) }() // what was linked, or is there after an error
	_, err = io.Copy(beside, bytes.NewReader(data))
	if err == nil {
		err = beside.Sync()
	}
	if err := errors.Join(err, beside.Close()); err != nil {
		return reason(err)
	}
	if err := place(beside.Name(), file); err != nil {
		return reason(err)
	}
	return syncDir(filepath.Dir(file))
}

// syncDir makes a new name outlive a loss of power. Not every system can.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return reason(err)
	}
	defer func() { _ = d.Close() }()
	return reason(d.Sync())
}

// reason is an error without the names of files, which the caller says once.
func reason(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}
