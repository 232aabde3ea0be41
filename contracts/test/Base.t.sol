// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title The few cheatcodes of forge that these tests use.
interface Vm {
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function addr(uint256 key) external pure returns (address);
    function warp(uint256 timeS) external;
    function assume(bool condition) external pure;
    function chainId(uint256 id) external;
    function etch(address target, bytes calldata code) external;
    function getCode(string calldata path) external view returns (bytes memory);
    function readFile(string calldata path) external view returns (string memory);
    function parseJsonBytes32(string calldata json, string calldata key) external pure returns (bytes32);
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
    function parseJsonAddress(string calldata json, string calldata key) external pure returns (address);
    function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256);
}

/// @title Merkle paths and notes the naive way, for comparison.
abstract contract Base {
    Vm internal constant VM = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function _bound(uint256 x, uint256 least, uint256 most) internal pure returns (uint256) {
        return least + x % (most - least + 1);
    }

    function _word(address owner, uint256 kind, uint256 quantity, uint256 start, uint256 further)
        internal
        pure
        returns (uint256)
    {
        bytes memory packed = kind == 3
            ? abi.encodePacked(owner, uint8(3), uint24(0), uint64(quantity))
            : abi.encodePacked(owner, uint8(kind), uint8(0), uint32(quantity), uint32(start), uint16(further));
        return uint256(bytes32(packed));
    }

    /// @dev The group of note `index`: its level of leaves, padded with zeros to a power of two.
    function _leaves(uint256[] memory words, uint256 index) internal pure returns (bytes32[] memory leaves) {
        uint256 base = index / 16 * 16;
        uint256 size = words.length - base < 16 ? words.length - base : 16;
        uint256 width = 1;
        while (width < size) width *= 2;
        leaves = new bytes32[](width);
        for (uint256 i = 0; i < size; ++i) {
            leaves[i] = keccak256(abi.encode(words[base + i]));
        }
    }

    /// @return path the siblings of note `index`, from the leaf up; `root` of its group.
    function _prove(uint256[] memory words, uint256 index) internal pure returns (bytes memory path, bytes32 root) {
        bytes32[] memory level = _leaves(words, index);
        uint256 place = index % 16;
        uint8 depth = 0;
        bytes memory siblings;
        while (level.length > 1) {
            siblings = abi.encodePacked(siblings, level[place ^ 1]);
            bytes32[] memory above = new bytes32[](level.length / 2);
            for (uint256 i = 0; i < above.length; ++i) {
                above[i] = _parent(level[2 * i], level[2 * i + 1]);
            }
            (level, place, depth) = (above, place / 2, depth + 1);
        }
        return (abi.encodePacked(depth, siblings), level[0]);
    }

    /// @dev A missing subtree is zero, not the hash of zeros.
    function _parent(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return left == 0 && right == 0 ? bytes32(0) : keccak256(abi.encode(left, right));
    }
}
