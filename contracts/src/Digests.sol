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
    bytes32 private constant REGULATE_TYPE = keccak256(
        "Regulate(uint64 nonce,FeederCapacity[] feeders,Authorisation[] authorise,uint32[] ban,"
        "Settlement[] settle,PriceChange[] prices)"
        "Authorisation(uint32 meter,address key,uint32 feeder,uint64 maxEpaW,uint64 maxEcaW,uint64 creditNano)"
        "FeederCapacity(uint32 feeder,uint64 exportW,uint64 importW)"
        "PriceChange(uint64 timeS,uint64 consumptionNanoPerWh,uint64 productionNanoPerWh)"
        "Settlement(uint32 meter,uint64 amountNano)"
    );

    /// Sizes of the static structs in calldata, in bytes.
    uint256 private constant NOTE_SIZE = 160;
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

    /// @return the struct hash of a smart-meter transaction.
    function ofWithdraw(IPetraLedger.Withdraw calldata tx_) internal pure returns (bytes32) {
        return keccak256(abi.encode(WITHDRAW_TYPE, tx_.meter, tx_.nonce, tx_.window, _ofNotes(tx_.outputs)));
    }

    /// @param ids the ids of the transaction's inputs, in order.
    /// @return the struct hash of an energy and financial transaction.
    function ofTransact(IPetraLedger.Transact calldata tx_, bytes32[] memory ids) internal pure returns (bytes32) {
        bytes32 inputs;
        assembly ("memory-safe") {
            inputs := keccak256(add(ids, 0x20), shl(5, mload(ids)))
        }
        return keccak256(abi.encode(TRANSACT_TYPE, inputs, _ofNotes(tx_.outputs), tx_.memo));
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
                _ofArray(PRICE_TYPE, prices, tx_.prices.length, PRICE_SIZE)
            )
        );
    }

    function _ofNotes(IPetraLedger.Note[] calldata notes) private pure returns (bytes32) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := notes.offset
        }
        return _ofArray(NOTE_TYPE, offset, notes.length, NOTE_SIZE);
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
            for { let at := hashes } lt(at, last) { at := add(at, 0x20) } {
                calldatacopy(add(buffer, 0x20), offset, size)
                mstore(at, keccak256(buffer, hashed))
                offset := add(offset, size)
            }
            hash := keccak256(hashes, sub(last, hashes))
        }
    }
}
