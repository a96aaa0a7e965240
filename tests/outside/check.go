// Checks an exported log with golang.org/x/mod/sumdb/{note,tlog}, the Go team's implementation of these formats, and nothing
// of ours: signature, every entry, every tile, the root, inclusion proofs, and consistency with an older checkpoint.
//
//	check <vkey> <folder of the export> <older checkpoint>
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// A folder of files as C2SP tlog-tiles lays them out.
type folder string

func (f folder) Height() int { return height }

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles reads whole tiles, or the beginning of what an older partial one has grown to.
func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := f.read(tile, tile.W*tlog.HashSize)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (f folder) read(tile tlog.Tile, atMost int) ([]byte, error) {
	path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
	full := strings.SplitN(path, ".p/", 2)[0]
	data, err := os.ReadFile(filepath.Join(string(f), path))
	if errors.Is(err, os.ErrNotExist) {
		data, err = os.ReadFile(filepath.Join(string(f), full))
	}
	if errors.Is(err, os.ErrNotExist) {
		wider, _ := filepath.Glob(filepath.Join(string(f), full+".p", "*"))
		for _, name := range wider {
			if data, err = os.ReadFile(name); err == nil && len(data) >= atMost {
				break
			}
		}
	}
	if err == nil && atMost > 0 && len(data) > atMost {
		data = data[:atMost]
	}
	return data, err
}

// Entries of one bundle: each after its length in two bytes.
func (f folder) entries(index int64, width int) ([][]byte, error) {
	tile := tlog.Tile{H: height, L: 0, N: index, W: width}
	path := strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1)
	data, err := os.ReadFile(filepath.Join(string(f), path))
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("%s is cut short", path)
		}
		length := int(binary.BigEndian.Uint16(data))
		entries = append(entries, data[2:2+length])
		data = data[2+length:]
	}
	if len(entries) != width {
		return nil, fmt.Errorf("%s has %d entries, not %d", path, len(entries), width)
	}
	return entries, nil
}

// Reads a checkpoint and checks its signature.
func open(path string, vkey string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, errors.New("the checkpoint is of another log")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, errors.New("the root is not a hash")
	}
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree, nil
}

// The whole tree, built again from the entries.
type whole []tlog.Hash

func (w whole) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, index := range indexes {
		hashes = append(hashes, w[index])
	}
	return hashes, nil
}

func rebuild(f folder, tree tlog.Tree) (whole, []tlog.Hash, error) {
	var all whole
	var leaves []tlog.Hash
	for start := int64(0); start < tree.N; start += 1 << height {
		width := 1 << height
		if tree.N-start < int64(width) {
			width = int(tree.N - start)
		}
		entries, err := f.entries(start>>height, width)
		if err != nil {
			return nil, nil, err
		}
		for _, entry := range entries {
			leaves = append(leaves, tlog.RecordHash(entry))
			hashes, err := tlog.StoredHashes(int64(len(leaves)-1), entry, all)
			if err != nil {
				return nil, nil, err
			}
			all = append(all, hashes...)
		}
	}
	return all, leaves, nil
}

func check(vkey, path, older string) error {
	f := folder(path)
	tree, err := open(filepath.Join(path, "checkpoint"), vkey)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	all, leaves, err := rebuild(f, tree)
	if err != nil {
		return fmt.Errorf("entries: %w", err)
	}
	root, err := tlog.TreeHash(tree.N, all)
	if err != nil || root != tree.Hash {
		return fmt.Errorf("root: the entries have another (%v)", err)
	}
	for _, tile := range tlog.NewTiles(height, 0, tree.N) {
		// Some versions list each width that an open tile ever had; the export has the last.
		if open := tree.N >> (height * tile.L) % (1 << height); tile.W < 1<<height && int64(tile.W) != open {
			continue
		}
		expected, err := tlog.ReadTileData(tile, all)
		if err != nil {
			return err
		}
		found, err := f.read(tile, 0)
		if err != nil || !bytes.Equal(expected, found) {
			return fmt.Errorf("tile: %s is another (%v)", tile.Path(), err)
		}
	}
	reader := tlog.TileHashReader(tree, f)
	for index := int64(0); index < tree.N; index += 1 + tree.N/97 {
		proof, err := tlog.ProveRecord(tree.N, index, reader)
		if err == nil {
			err = tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaves[index])
		}
		if err != nil {
			return fmt.Errorf("inclusion of %d: %w", index, err)
		}
	}
	old, err := open(older, vkey)
	if err != nil {
		return fmt.Errorf("older checkpoint: %w", err)
	}
	proof, err := tlog.ProveTree(tree.N, old.N, reader)
	if err == nil {
		err = tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash)
	}
	if err != nil {
		return fmt.Errorf("consistency: %w", err)
	}
	fmt.Printf("%d leaves, consistent with %d\n", tree.N, old.N)
	return nil
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: check <vkey> <folder> <older checkpoint>")
		os.Exit(2)
	}
	if err := check(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
