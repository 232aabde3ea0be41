//go:build tools

// Package geth pins go-ethereum's node: the last release line that seals Clique blocks.
package geth

import _ "github.com/ethereum/go-ethereum/cmd/geth"
