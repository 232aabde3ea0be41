// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Calldata} from "../src/Calldata.sol";
import {Digests} from "../src/Digests.sol";
import {Orders} from "../src/Orders.sol";
import {Signatures} from "../src/Signatures.sol";
import {Base} from "./Base.t.sol";

/// @title Reads orders and checks signatures as the ledger does; its address is that of the vectors' ledger.
contract VectorsHarness {
    function readOrder(bytes calldata body, uint256 side) external view returns (bytes32 digest, bool whole) {
        uint256 pos = Calldata.startOf(body);
        Orders.Order memory order = Orders.read(pos, side, Digests.separator("PETra", "1", address(this)));
        return (order.digest, order.end == pos + body.length);
    }

    function cancelDigest(address owner, uint256 nonces) external view returns (bytes32) {
        return Digests.seal(Digests.separator("PETra", "1", address(this)), Digests.ofCancel(owner, nonces));
    }

    function checkSignature(bytes32 digest, address signer, bytes calldata signature) external pure {
        Signatures.check(digest, signer, signature);
    }
}

/// @title The vectors that Python wrote and a JavaScript wallet signs alike, in Solidity.
contract VectorsTest is Base {
    string private json;
    VectorsHarness private harness;

    function setUp() external {
        json = VM.readFile("test/vectors.json");
        address verifier = VM.parseJsonAddress(json, ".domain.verifyingContract");
        VM.chainId(VM.parseJsonUint(json, ".domain.chainId"));
        VM.etch(verifier, address(new VectorsHarness()).code);
        harness = VectorsHarness(verifier);
    }

    function test_orders_are_read_as_signed() external view {
        for (uint256 i = 2; i <= 3; ++i) {
            (bytes32 digest, bool whole) = harness.readOrder(VM.parseJsonBytes(json, _key(i, "body")), i - 1);
            require(digest == VM.parseJsonBytes32(json, _key(i, "digest")), "digest");
            require(whole, "length");
        }
    }

    function test_cancel_is_read_as_signed() external view {
        address owner = VM.parseJsonAddress(json, _key(4, "message.owner"));
        uint256 nonces = VM.parseJsonUint(json, _key(4, "message.nonces"));
        require(harness.cancelDigest(owner, nonces) == VM.parseJsonBytes32(json, _key(4, "digest")), "digest");
    }

    /// Each signature is its signer's, and in no other form: high s, v of 0 or 1, one byte more or less.
    function test_signatures_are_canonical() external view {
        for (uint256 i = 0; i < 7; ++i) {
            bytes memory good = VM.parseJsonBytes(json, _key(i, "signature"));
            require(_accepts(i, good), "good");
            (bytes32 r, bytes32 s) = (_at(good, 32), _at(good, 64));
            uint8 v = uint8(good[64]);
            uint256 n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
            require(!_accepts(i, abi.encodePacked(r, bytes32(n - uint256(s)), 55 - v)), "high s");
            require(!_accepts(i, abi.encodePacked(r, s, 55 - v)), "other v");
            require(!_accepts(i, abi.encodePacked(r, s, v - 27)), "low v");
            require(!_accepts(i, abi.encodePacked(r, s)), "short");
            require(!_accepts(i, abi.encodePacked(good, v)), "long");
        }
    }

    /// No random 65 bytes are anybody's signature, not even nobody's.
    function testFuzz_random_signature_is_nobodys(bytes32 r, bytes32 s, uint8 v, bool zero) external view {
        address signer = zero ? address(0) : VM.parseJsonAddress(json, _key(0, "signer"));
        try harness.checkSignature(keccak256("any"), signer, abi.encodePacked(r, s, v)) {
            revert("accepted");
        } catch {}
    }

    function _accepts(uint256 i, bytes memory signature) private view returns (bool accepted) {
        bytes32 digest = VM.parseJsonBytes32(json, _key(i, "digest"));
        try harness.checkSignature(digest, VM.parseJsonAddress(json, _key(i, "signer")), signature) {
            accepted = true;
        } catch {}
    }

    function _at(bytes memory data, uint256 end) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := mload(add(data, end))
        }
    }

    function _key(uint256 i, string memory name) private pure returns (string memory) {
        return string.concat(".cases[", string(abi.encodePacked(uint8(48 + i))), "].", name);
    }
}
