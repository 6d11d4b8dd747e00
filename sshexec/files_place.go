package sshexec

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed place.pl
var placeScript string

const (
	// maxNames bounds the names of a batch: they are arguments of one program.
	maxNames = 512 << 10
	// largeBatch is from how many bytes on another program's longer start pays.
	largeBatch = 16 << 20
)

// batches are the uploads that are to be verified, as many together as one command
// takes.
func batches(uploads []*upload) (all [][]*upload) {
	names := maxNames
	for _, u := range uploads {
		if !u.Verify {
			continue
		}
		if names += len(u.temp) + 1; names > maxNames {
			all, names = append(all, nil), len(u.temp)+1
		}
		all[len(all)-1] = append(all[len(all)-1], u)
	}
	return all
}

// place verifies files and puts all of them in place, or none when one is corrupt.
func (c *Client) place(ctx context.Context, user string, uploads []*upload) error {
	var records strings.Builder
	var sent int64
	for _, u := range uploads {
		sent += u.sent
		for _, word := range []string{u.temp, u.sum.hex(), strconv.FormatUint(uint64(u.Mode), 8), u.final} {
			records.WriteString(word)
			records.WriteByte(0)
		}
	}
	large := "0"
	if sent >= largeBatch {
		large = "1"
	}
	result, err := c.Run(ctx, Command{
		User: user, Perl: true, Script: placeScript, Args: []string{large},
		Stdin: strings.NewReader(records.String()),
	})
	if err != nil {
		return fmt.Errorf("upload %s: %w", uploads[blame(result, len(uploads))].Path, corrupt(err))
	}
	for _, u := range uploads {
		u.setTemp("")
	}
	return nil
}

// blame is the number of the file that is corrupt, or the first where it is none of
// the files.
func blame(result *Result, n int) int {
	if result == nil {
		return 0
	}
	i, err := strconv.Atoi(string(result.Stdout))
	if err != nil || i < 0 || i >= n {
		return 0
	}
	return i
}
