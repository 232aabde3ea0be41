// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Groups} from "../src/Groups.sol";
import {Base} from "./Base.t.sol";

/// @title Groups with their storage, callable from outside.
contract GroupsHarness {
    mapping(bytes32 => uint256) public groups;

    function create(bytes32 origin, uint256[] memory words) external {
        uint256 pos;
        assembly ("memory-safe") {
            pos := add(words, 0x20)
        }
        Groups.create(groups, origin, pos, words.length);
    }

    function climb(uint256 word, uint256 index, bytes calldata proof)
        external
        pure
        returns (uint256 root, uint256 place, uint256 size)
    {
        uint256 pos;
        assembly ("memory-safe") {
            pos := proof.offset
        }
        (root, place, size) = Groups.climb(word, index, pos);
        size -= pos;
    }

    function spend(bytes32 origin, uint256 word, uint256 index, bytes calldata proof) external {
        uint256 pos;
        assembly ("memory-safe") {
            pos := proof.offset
        }
        Groups.spend(groups, bytes32(0), word, origin, index, pos);
    }
}

contract GroupsTest is Base {
    GroupsHarness private harness = new GroupsHarness();
    bytes32 private constant ORIGIN = keccak256("origin");

    function _make(uint256 seed, uint256 count) private returns (uint256[] memory words) {
        words = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            words[i] = uint256(keccak256(abi.encode(seed, i)));
        }
        harness.create(ORIGIN, words);
    }

    /// Each group's word is the naive tree's root over 16 bits that are zero, and there is no group too many.
    function testFuzz_create_stores_naive_roots(uint256 seed, uint8 n) external {
        uint256[] memory words = _make(seed, _bound(n, 1, 40));
        for (uint256 i = 0; i < words.length; i += 16) {
            (, bytes32 root) = _prove(words, i);
            require(harness.groups(bytes32(uint256(ORIGIN) + i / 16)) == uint256(root) >> 16 << 16, "root");
        }
        require(harness.groups(bytes32(uint256(ORIGIN) + (words.length + 15) / 16)) == 0, "one group too many");
    }

    /// Every note proves its own place, and nothing else: at every other index it is unknown.
    function testFuzz_leaf_proves_only_its_own_place(uint256 seed, uint8 n, uint8 k) external {
        uint256[] memory words = _make(seed, _bound(n, 1, 40));
        uint256 own = _bound(k, 0, words.length - 1);
        (bytes memory path, bytes32 root) = _prove(words, own);
        (uint256 got, uint256 place, uint256 size) = harness.climb(words[own], own, path);
        require(got == uint256(root) && place == own % 16 && size == path.length, "own place");
        for (uint256 index = 0; index < 64; ++index) {
            bool accepted = _spends(words[own], index, path);
            require(accepted == (index == own), "another place");
        }
        require(!_spends(words[own], own, path), "spent twice");
    }

    /// A path with a changed byte, a changed length or another word under it leads nowhere.
    function testFuzz_corrupt_path_is_unknown(uint256 seed, uint8 n, uint8 k, uint256 which, uint8 flip) external {
        uint256[] memory words = _make(seed, _bound(n, 1, 40));
        uint256 own = _bound(k, 0, words.length - 1);
        (bytes memory path,) = _prove(words, own);
        uint256 place = which % path.length;
        path[place] ^= bytes1(flip == 0 ? 1 : flip);
        require(!_spends(words[own], own, path), "corrupt path");
        path[place] ^= bytes1(flip == 0 ? 1 : flip);
        require(!_spends(words[own] ^ (1 << (which % 256)), own, path), "other word");
        require(_spends(words[own], own, path), "true path");
    }

    /// An inner node's hash, offered as a note with a shorter path, is unknown.
    function testFuzz_inner_node_is_no_note(uint256 seed, uint8 n) external {
        uint256[] memory words = _make(seed, _bound(n, 2, 16));
        (bytes memory path,) = _prove(words, 0);
        bytes memory shorter = new bytes(path.length - 32);
        for (uint256 i = 33; i < path.length; ++i) {
            shorter[i - 32] = path[i];
        }
        shorter[0] = bytes1(uint8(path[0]) - 1);
        bytes32 inner = keccak256(abi.encode(keccak256(abi.encode(words[0])), keccak256(abi.encode(words[1]))));
        require(!_spends(uint256(inner), 0, shorter), "inner node");
        require(!_spends(0, 0, shorter), "nothing");
    }

    /// Spending in any order sets each bit once and leaves the root as it is.
    function testFuzz_all_notes_are_spent_once(uint256 seed, uint8 n, uint8 first) external {
        uint256[] memory words = _make(seed, _bound(n, 1, 40));
        for (uint256 i = 0; i < words.length; ++i) {
            uint256 index = (i + first) % words.length;
            (bytes memory path, bytes32 root) = _prove(words, index);
            require(_spends(words[index], index, path), "unspent");
            require(!_spends(words[index], index, path), "spent");
            require(harness.groups(bytes32(uint256(ORIGIN) + index / 16)) >> 16 == uint256(root) >> 16, "root moved");
        }
    }

    function _spends(uint256 word, uint256 index, bytes memory path) private returns (bool accepted) {
        try harness.spend(ORIGIN, word, index, path) {
            accepted = true;
        } catch {}
    }
}
