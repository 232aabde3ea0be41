// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IPetraLedger} from "./IPetraLedger.sol";

/// @title Reading notes from calldata, and their ids.
/// @dev In assembly because a mix reads hundreds of them: Solidity checks the type of a field whenever it is read.
library Notes {
    /// @notice The fields of a note, as they stand in calldata.
    /// @dev Only the owner's word is checked here. The others are within their types if the note passed the ledger's
    /// checks, or if it is an input whose id is on the ledger.
    function load(IPetraLedger.Note calldata note)
        internal
        pure
        returns (uint256 kind, address owner, uint256 quantity, uint256 start, uint256 end)
    {
        assembly ("memory-safe") {
            kind := calldataload(note)
            owner := calldataload(add(note, 0x20))
            if shr(160, owner) { revert(0, 0) }
            quantity := calldataload(add(note, 0x40))
            start := calldataload(add(note, 0x60))
            end := calldataload(add(note, 0x80))
        }
    }

    /// @notice The id that the note has as output `index` of the transaction with digest `madeBy`:
    /// keccak256(abi.encode(kind, owner, quantity, start, end, madeBy, index)).
    function idOf(IPetraLedger.Note calldata note, bytes32 madeBy, uint256 index) internal pure returns (bytes32 id) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            calldatacopy(buffer, note, 160)
            mstore(add(buffer, 160), madeBy)
            mstore(add(buffer, 192), index)
            id := keccak256(buffer, 224)
        }
    }

    /// @notice The id of a note that its spender reveals; its words lie in calldata as they are hashed.
    function idOf(IPetraLedger.IssuedNote calldata input) internal pure returns (bytes32 id) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            calldatacopy(buffer, input, 224)
            id := keccak256(buffer, 224)
        }
    }
}
