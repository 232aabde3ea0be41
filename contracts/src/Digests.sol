// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IPetraLedger} from "./IPetraLedger.sol";

/// @title EIP-712 digests, as assets/transactions.py defines them.
/// @dev Assembly only where an array of calldata words is hashed: a mix hashes hundreds of notes.
library Digests {
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant NOTE_TYPE =
        keccak256("Note(uint8 kind,address owner,uint64 quantity,uint32 start,uint32 end)");
    bytes32 private constant FEEDER_TYPE = keccak256("FeederCapacity(uint32 feeder,uint64 exportW,uint64 importW)");
    bytes32 private constant AUTHORISATION_TYPE = keccak256(
        "Authorisation(uint32 meter,address key,uint32 feeder,uint64 maxEpaW,uint64 maxEcaW,uint64 creditNano)"
    );
    bytes32 private constant SETTLEMENT_TYPE = keccak256("Settlement(uint32 meter,uint64 amountNano)");
    bytes32 private constant PRICE_TYPE =
        keccak256("PriceChange(uint64 timeS,uint64 consumptionNanoPerWh,uint64 productionNanoPerWh)");
    bytes32 private constant WITHDRAW_TYPE = keccak256(
        "Withdraw(uint32 meter,uint64 nonce,uint32 window,Note[] outputs)"
        "Note(uint8 kind,address owner,uint64 quantity,uint32 start,uint32 end)"
    );
    bytes32 private constant TRANSACT_TYPE = keccak256(
        "Transact(bytes32[] inputs,Note[] outputs,bytes32 memo)"
        "Note(uint8 kind,address owner,uint64 quantity,uint32 start,uint32 end)"
    );
    bytes32 private constant SETTLE_TYPE = keccak256(
        "Settle(Fill[] fills)Fill(bytes32 sell,bytes32 buy,uint32 powerW,uint64 priceNanoPerWh)"
    );
    bytes32 private constant FILL_TYPE =
        keccak256("Fill(bytes32 sell,bytes32 buy,uint32 powerW,uint64 priceNanoPerWh)");
    bytes32 private constant CANCEL_TYPE = keccak256("Cancel(address owner,uint256 nonces)");
    bytes32 private constant REGULATE_TYPE = keccak256(
        "Regulate(uint64 nonce,FeederCapacity[] feeders,Authorisation[] authorise,uint32[] ban,"
        "Settlement[] settle,PriceChange[] prices,uint40 timeS,address successor)"
        "Authorisation(uint32 meter,address key,uint32 feeder,uint64 maxEpaW,uint64 maxEcaW,uint64 creditNano)"
        "FeederCapacity(uint32 feeder,uint64 exportW,uint64 importW)"
        "PriceChange(uint64 timeS,uint64 consumptionNanoPerWh,uint64 productionNanoPerWh)"
        "Settlement(uint32 meter,uint64 amountNano)"
    );

    /// Sizes of the static structs in calldata, in bytes.
    uint256 private constant FEEDER_SIZE = 96;
    uint256 private constant AUTHORISATION_SIZE = 192;
    uint256 private constant SETTLEMENT_SIZE = 64;
    uint256 private constant PRICE_SIZE = 96;

    /// @return the domain separator of `verifyingContract` on this chain.
    function separator(string memory name, string memory version, address verifyingContract)
        internal
        view
        returns (bytes32)
    {
        return keccak256(
            abi.encode(DOMAIN_TYPE, keccak256(bytes(name)), keccak256(bytes(version)), block.chainid, verifyingContract)
        );
    }

    /// @return the hash that is signed: EIP-712 over `domainSeparator` and a struct hash.
    function seal(bytes32 domainSeparator, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domainSeparator, structHash));
    }

    /// @return the struct hash of a smart-meter transaction, whose `count` output words lie in calldata from `outputs` on.
    function ofWithdraw(uint256 meter, uint256 nonce, uint256 window, uint256 outputs, uint256 count)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(WITHDRAW_TYPE, meter, nonce, window, _ofNotes(outputs, count)));
    }

    /// @param ids the ids of the transaction's inputs, in order.
    /// @return the struct hash of an energy and financial transaction.
    function ofTransact(bytes32[] memory ids, uint256 outputs, uint256 count, bytes32 memo)
        internal
        pure
        returns (bytes32)
    {
        bytes32 inputs;
        assembly ("memory-safe") {
            inputs := keccak256(add(ids, 0x20), shl(5, mload(ids)))
        }
        return keccak256(abi.encode(TRANSACT_TYPE, inputs, _ofNotes(outputs, count), memo));
    }

    /// @return the struct hash of a fill of the orders with these digests.
    function ofFill(bytes32 sell, bytes32 buy, uint256 powerW, uint256 price) internal pure returns (bytes32) {
        return keccak256(abi.encode(FILL_TYPE, sell, buy, powerW, price));
    }

    /// @return the struct hash of a settlement, of the hashes of its `count` fills in memory from `fills` on.
    function ofSettle(uint256 fills, uint256 count) internal pure returns (bytes32) {
        bytes32 hashed;
        assembly ("memory-safe") {
            hashed := keccak256(fills, shl(5, count))
        }
        return keccak256(abi.encode(SETTLE_TYPE, hashed));
    }

    /// @return the struct hash of a cancellation.
    function ofCancel(address owner, uint256 nonces) internal pure returns (bytes32) {
        return keccak256(abi.encode(CANCEL_TYPE, owner, nonces));
    }

    /// @return the struct hash of a regulatory transaction.
    function ofRegulate(IPetraLedger.Regulate calldata tx_) internal pure returns (bytes32) {
        (uint256 feeders, uint256 authorise, uint256 settle, uint256 prices) = _offsets(tx_);
        return keccak256(
            abi.encode(
                REGULATE_TYPE,
                tx_.nonce,
                _ofArray(FEEDER_TYPE, feeders, tx_.feeders.length, FEEDER_SIZE),
                _ofArray(AUTHORISATION_TYPE, authorise, tx_.authorise.length, AUTHORISATION_SIZE),
                keccak256(abi.encodePacked(tx_.ban)),
                _ofArray(SETTLEMENT_TYPE, settle, tx_.settle.length, SETTLEMENT_SIZE),
                _ofArray(PRICE_TYPE, prices, tx_.prices.length, PRICE_SIZE),
                tx_.timeS,
                tx_.successor
            )
        );
    }

    function _ofNotes(uint256 outputs, uint256 count) private pure returns (bytes32 hash) {
        bytes32 noteType = NOTE_TYPE;
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            let hashes := add(buffer, 0xc0)
            let last := add(hashes, shl(5, count))
            mstore(buffer, noteType)
            for { let pos := hashes } lt(pos, last) { pos := add(pos, 0x20) } {
                let note := calldataload(outputs)
                let kind := and(shr(88, note), 0xff)
                mstore(add(buffer, 0x20), kind)
                mstore(add(buffer, 0x40), shr(96, note))
                switch kind
                case 3 {
                    mstore(add(buffer, 0x60), and(note, 0xffffffffffffffff))
                    mstore(add(buffer, 0x80), 0)
                    mstore(add(buffer, 0xa0), 0)
                }
                default {
                    let start := and(shr(16, note), 0xffffffff)
                    mstore(add(buffer, 0x60), and(shr(48, note), 0xffffffff))
                    mstore(add(buffer, 0x80), start)
                    mstore(add(buffer, 0xa0), add(start, and(note, 0xffff)))
                }
                mstore(pos, keccak256(buffer, 0xc0))
                outputs := add(outputs, 0x20)
            }
            hash := keccak256(hashes, sub(last, hashes))
        }
    }

    function _offsets(IPetraLedger.Regulate calldata tx_)
        private
        pure
        returns (uint256 feeders, uint256 authorise, uint256 settle, uint256 prices)
    {
        IPetraLedger.FeederCapacity[] calldata f = tx_.feeders;
        IPetraLedger.Authorisation[] calldata a = tx_.authorise;
        IPetraLedger.Settlement[] calldata s = tx_.settle;
        IPetraLedger.PriceChange[] calldata p = tx_.prices;
        assembly ("memory-safe") {
            feeders := f.offset
            authorise := a.offset
            settle := s.offset
            prices := p.offset
        }
    }

    /// @dev The EIP-712 hash of `count` static structs of `size` bytes that lie side by side in calldata. Their words
    /// are hashed as they stand; whoever reads the fields checks their ranges.
    function _ofArray(bytes32 typeHash, uint256 offset, uint256 count, uint256 size)
        private
        pure
        returns (bytes32 hash)
    {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            let hashes := add(buffer, add(size, 0x20))
            let last := add(hashes, shl(5, count))
            let hashed := add(size, 0x20)
            mstore(buffer, typeHash)
            for { let pos := hashes } lt(pos, last) { pos := add(pos, 0x20) } {
                calldatacopy(add(buffer, 0x20), offset, size)
                mstore(pos, keccak256(buffer, hashed))
                offset := add(offset, size)
            }
            hash := keccak256(hashes, sub(last, hashes))
        }
    }
}
