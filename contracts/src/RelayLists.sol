// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice What this contract asks the ledger.
interface ILedger {
    /// @notice Address of the DSO's present key.
    function dso() external view returns (address);
}

/// @title The list of a private Tor network's authorities and relays, published beside the ledger.
/// @notice Every home has to start from one list: whoever gives one home another list puts it into a network of spies.
/// The DSO's present key signs each version; anybody may relay it, and nothing is authorised by `msg.sender`. The hash of
/// the last version is state, the lists themselves are event data, from which anybody rebuilds them.
/// @dev docs/transport.md; ADR 21 says why this is a contract of its own.
contract RelayLists {
    /// @notice Versions are recorded one after the other, each once: `expected` is the next.
    error OutOfOrder(uint64 expected, uint64 got);
    /// @notice The list is empty or longer than `MAX_BYTES`.
    error BadLength(uint256 length);
    /// @notice The signature is not that of the ledger's present DSO key.
    error NotTheOperator(address dso, address signer);

    /// @notice A version was recorded; `list` is its canonical JSON.
    event RelayListRecorded(address indexed ledger, uint64 indexed version, bytes32 indexed listHash, bytes list);

    /// @notice Longest list.
    uint256 public constant MAX_BYTES = 24_576;

    /// @notice The ledger whose DSO publishes here.
    ILedger public immutable ledger;
    /// @notice The last version; 0: none yet.
    uint64 public version;
    /// @notice Hash of the last list: `keccak256(LIST_TAG ‖ list)`.
    bytes32 public listHash;

    bytes32 private constant LIST_TAG = keccak256("PETra relay list v1");
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant LIST_TYPE = keccak256("RelayList(uint64 version,bytes32 list)");
    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

    /// @param ledger_ the ledger on this chain; reverts if it names no DSO.
    constructor(ILedger ledger_) {
        ledger_.dso();
        ledger = ledger_;
    }

    /// @notice Record the next version, signed by the DSO for this contract.
    function record(uint64 version_, bytes calldata list, bytes calldata signature) external {
        if (version_ != version + 1) revert OutOfOrder(version + 1, version_);
        if (list.length == 0 || list.length > MAX_BYTES) revert BadLength(list.length);
        bytes32 hash = keccak256(abi.encodePacked(LIST_TAG, list));
        address dso = ledger.dso();
        address signer = _signer(digest(version_, hash), signature);
        if (signer != dso || signer == address(0)) revert NotTheOperator(dso, signer);
        version = version_;
        listHash = hash;
        emit RelayListRecorded(address(ledger), version_, hash, list);
    }

    /// @notice The EIP-712 digest that the DSO signs for a version with the list of this hash.
    function digest(uint64 version_, bytes32 hash) public view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(DOMAIN_TYPE, keccak256("PETra"), keccak256("1"), block.chainid, address(this))
        );
        return keccak256(abi.encodePacked(hex"1901", domain, keccak256(abi.encode(LIST_TYPE, version_, hash))));
    }

    /// @dev Whose signature it is; the zero address for what is none, or has a second encoding.
    function _signer(bytes32 hash, bytes calldata signature) private pure returns (address) {
        if (signature.length != 65) return address(0);
        bytes32 s = bytes32(signature[32:64]);
        uint8 v = uint8(signature[64]);
        if ((v != 27 && v != 28) || uint256(s) > HALF_ORDER) return address(0);
        return ecrecover(hash, v, bytes32(signature[:32]), s);
    }
}
