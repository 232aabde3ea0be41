// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Balance} from "./Balance.sol";
import {Digests} from "./Digests.sol";
import {IPetraLedger} from "./IPetraLedger.sol";
import {Notes} from "./Notes.sol";

/// @title The ledger of PETra on an EVM.
/// @dev A note is one storage word under its id; who spends it reveals it. Checks stand in the order of
/// `assets/ledger.py`; effects may precede later checks, since a refusal undoes the whole call.
contract PetraLedger is IPetraLedger {
    /// Largest power (W) or amount (nano-units) of one note, and largest limit, capacity and price.
    uint256 public constant MAX_QUANTITY = 2 ** 63 - 1;
    /// Most intervals that one energy note may cover.
    uint256 public constant MAX_SPAN = 1024;
    /// Most inputs, and most outputs, of one transaction.
    uint256 public constant MAX_NOTES = 256;
    /// Largest interval index.
    uint256 public constant MAX_INDEX = 2 ** 32 - 1;

    uint256 private constant EPA = 1;
    uint256 private constant ECA = 2;
    uint256 private constant FA = 3;

    uint256 private constant UNKNOWN = 0;
    uint256 private constant UNSPENT = 1;
    uint256 private constant SPENT = 2;

    uint256 private constant SECONDS_PER_HOUR = 3600;
    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;
    bytes4 private constant PANIC = 0x4e487b71;

    string private constant NAME = "PETra";
    string private constant VERSION = "1";

    struct MeterAccount {
        /// Zero: never authorised.
        address key;
        uint32 feeder;
        bool banned;
        uint56 nonce;
        uint64 maxEpaW;
        uint64 maxEcaW;
        uint64 creditNano;
        uint128 faWithdrawnNano;
        uint128 faSettledNano;
        /// Power issued so far, see {_lane}.
        mapping(uint256 => uint256) issuedW;
    }

    struct FeederAccount {
        uint64 exportW;
        uint64 importW;
        bool recorded;
        /// Power that the feeder's meters issued so far, see {_lane}.
        mapping(uint256 => uint256) issuedW;
    }

    address public immutable dso;
    uint256 public immutable genesisS;
    uint256 public immutable intervalS;
    uint256 private immutable _chainId;
    bytes32 private immutable _separator;

    uint256 public regulationNonce;
    mapping(bytes32 => uint256) private _notes;
    mapping(uint256 => MeterAccount) private _meters;
    mapping(uint256 => FeederAccount) private _feeders;
    PriceChange[] private _prices;

    /// @param genesisS_ Unix time at which interval 0 starts.
    /// @param intervalS_ length of an interval in seconds, 1 to 86400.
    /// @param dso_ whose signature regulatory transactions carry; not zero, which anybody could "sign" for.
    constructor(uint256 genesisS_, uint256 intervalS_, address dso_) {
        if (dso_ == address(0) || intervalS_ == 0 || intervalS_ > 86_400 || genesisS_ > type(uint64).max) {
            revert BadDeployment();
        }
        (genesisS, intervalS, dso) = (genesisS_, intervalS_, dso_);
        _chainId = block.chainid;
        _separator = Digests.separator(NAME, VERSION, address(this));
    }

    // --- Transactions --------------------------------------------------------------------------------------

    /// @inheritdoc IPetraLedger
    function withdraw(Withdraw calldata tx_, bytes[] calldata signatures) external {
        _checkOutputs(tx_.outputs);
        MeterAccount storage account = _meters[tx_.meter];
        address key = account.key;
        if (key == address(0)) revert UnknownMeter(tx_.meter);
        if (account.banned) revert MeterBanned(tx_.meter);
        if (tx_.nonce != account.nonce) revert BadNonce(account.nonce, tx_.nonce);
        bytes32 digest = Digests.seal(_domainSeparator(), Digests.ofWithdraw(tx_));
        _checkOnlySignature(digest, key, signatures);
        ++account.nonce;
        _issue(tx_.meter, account, tx_.outputs);
        _create(tx_.outputs, digest);
        emit Withdrawn(digest, tx_.meter, block.timestamp, msg.data);
    }

    /// @inheritdoc IPetraLedger
    function transact(Transact calldata tx_, bytes[] calldata signatures) external {
        IssuedNote[] calldata inputs = tx_.inputs;
        if (inputs.length == 0) revert EmptyTransaction();
        if (inputs.length > MAX_NOTES) revert TooManyNotes(inputs.length, MAX_NOTES);
        _checkOutputs(tx_.outputs);
        (bytes32[] memory ids, uint256 runs) = _spend(inputs);
        bytes32 digest = Digests.seal(_domainSeparator(), Digests.ofTransact(tx_, ids));
        if (signatures.length != runs) revert SignatureCount(runs, signatures.length);
        _checkOwners(digest, inputs, signatures);
        Balance.check(inputs, tx_.outputs);
        _create(tx_.outputs, digest);
        emit Transacted(digest, tx_.memo, block.timestamp, msg.data);
    }

    /// @inheritdoc IPetraLedger
    function regulate(Regulate calldata tx_, bytes[] calldata signatures) external {
        if (tx_.nonce != regulationNonce) revert BadNonce(regulationNonce, tx_.nonce);
        bytes32 digest = Digests.seal(_domainSeparator(), Digests.ofRegulate(tx_));
        _checkOnlySignature(digest, dso, signatures);
        ++regulationNonce;
        _setFeeders(tx_.feeders);
        _authorise(tx_.authorise);
        _ban(tx_.ban);
        _settle(tx_.settle);
        _announce(tx_.prices);
        emit Regulated(digest, tx_.nonce, block.timestamp, msg.data);
    }

    /// @inheritdoc IPetraLedger
    /// @dev A refusal always has a reason of at least four bytes. A call without one ran out of gas or was no such
    /// call; a panic would be a defect. Neither is a verdict on the transaction.
    function relay(bytes[] calldata calls) external {
        for (uint256 position = 0; position < calls.length; ++position) {
            bytes calldata call = calls[position];
            bytes4 selector = call.length < 4 ? bytes4(0) : bytes4(call[:4]);
            if (
                selector != IPetraLedger.transact.selector && selector != IPetraLedger.withdraw.selector
                    && selector != IPetraLedger.regulate.selector
            ) revert NotRelayable(position);
            if (_delegateToSelf(call)) continue;
            bytes memory reason = _returned();
            if (reason.length < 4 || bytes4(reason) == PANIC) revert RelayFailed(position);
            emit Refused(position, reason);
        }
    }

    // --- Notes ---------------------------------------------------------------------------------------------

    function _checkOutputs(Note[] calldata outputs) private view {
        uint256 count = outputs.length;
        if (count == 0) revert EmptyTransaction();
        if (count > MAX_NOTES) revert TooManyNotes(count, MAX_NOTES);
        for (uint256 i = 0; i < count; ++i) {
            _checkNote(i, outputs[i]);
        }
    }

    function _checkNote(uint256 index, Note calldata note) private view {
        unchecked {
            (uint256 kind, address owner, uint256 quantity, uint256 start, uint256 end) = Notes.load(note);
            if (kind < EPA || kind > FA) revert BadKind(index, kind);
            if (owner == address(0)) revert ZeroOwner(index);
            if (quantity == 0 || quantity > MAX_QUANTITY) revert BadQuantity(index, quantity);
            if (kind == FA) {
                if (start | end != 0) revert BadSpan(index, start, end);
            } else if (start > end || end - start >= MAX_SPAN || end >= MAX_INDEX) {
                revert BadSpan(index, start, end);
            } else if (quantity * intervalS % SECONDS_PER_HOUR != 0) {
                revert FractionalPower(index, quantity);
            }
        }
    }

    /// @dev Marks the inputs spent. Returns their ids, and how many runs of consecutive inputs of one owner there are.
    function _spend(IssuedNote[] calldata inputs) private returns (bytes32[] memory ids, uint256 runs) {
        unchecked {
            uint256 count = inputs.length;
            ids = new bytes32[](count);
            address last = address(0);
            for (uint256 i = 0; i < count; ++i) {
                bytes32 id = Notes.idOf(inputs[i]);
                uint256 known = _notes[id];
                if (known == UNKNOWN) revert UnknownNote(id);
                if (known == SPENT) revert NoteSpent(id);
                _notes[id] = SPENT;
                assembly ("memory-safe") {
                    mstore(add(ids, shl(5, add(i, 1))), id)
                }
                address owner = inputs[i].note.owner;
                if (owner != last) {
                    ++runs;
                    last = owner;
                }
            }
        }
    }

    /// @dev One signature for each run of consecutive inputs of one owner; the caller has counted them.
    function _checkOwners(bytes32 digest, IssuedNote[] calldata inputs, bytes[] calldata signatures) private pure {
        unchecked {
            uint256 run = 0;
            address last = address(0);
            for (uint256 i = 0; i < inputs.length; ++i) {
                address owner = inputs[i].note.owner;
                if (owner != last) {
                    _checkSignature(digest, owner, signatures[run++]);
                    last = owner;
                }
            }
        }
    }

    function _create(Note[] calldata outputs, bytes32 origin) private {
        uint256 count = outputs.length;
        for (uint256 i = 0; i < count; ++i) {
            _notes[Notes.idOf(outputs[i], origin, i)] = UNSPENT;
        }
    }

    // --- Limits --------------------------------------------------------------------------------------------

    /// @dev Adds the notes to the sums of the meter and its feeder; refuses the first that exceeds a limit.
    function _issue(uint256 meter, MeterAccount storage account, Note[] calldata outputs) private {
        uint256 count = outputs.length;
        for (uint256 i = 0; i < count; ++i) {
            (uint256 kind,, uint256 quantity, uint256 start, uint256 end) = Notes.load(outputs[i]);
            if (kind == FA) {
                _issueMoney(meter, account, quantity);
            } else {
                _issueEnergy(meter, account, kind, quantity, start, end);
            }
        }
    }

    function _issueMoney(uint256 meter, MeterAccount storage account, uint256 amountNano) private {
        uint256 withdrawnNano = account.faWithdrawnNano + amountNano;
        uint256 outstandingNano = withdrawnNano - account.faSettledNano;
        if (outstandingNano > account.creditNano) revert CreditLimit(meter, account.creditNano, outstandingNano);
        account.faWithdrawnNano = uint128(withdrawnNano);
    }

    function _issueEnergy(
        uint256 meter,
        MeterAccount storage account,
        uint256 kind,
        uint256 powerW,
        uint256 start,
        uint256 end
    ) private {
        uint256 feeder = account.feeder;
        FeederAccount storage atFeeder = _feeders[feeder];
        uint256 limitW = kind == EPA ? account.maxEpaW : account.maxEcaW;
        uint256 capW = kind == EPA ? atFeeder.exportW : atFeeder.importW;
        for (uint256 t = start; t <= end; ++t) {
            uint256 wouldBeW = _add(account.issuedW, kind, t, powerW);
            if (wouldBeW > limitW) revert MeterLimit(meter, kind, t, limitW, wouldBeW);
            wouldBeW = _add(atFeeder.issuedW, kind, t, powerW);
            if (wouldBeW > capW) revert FeederLimit(feeder, kind, t, capW, wouldBeW);
        }
    }

    /// @dev Adds to a sum and returns it. The caller refuses a sum above a limit, and limits are below 2**63, so that
    /// what stays stored fits its 64 bits; a sum that does not fit is cut off, and then undone by that refusal.
    function _add(mapping(uint256 => uint256) storage issuedW, uint256 kind, uint256 t, uint256 powerW)
        private
        returns (uint256 sumW)
    {
        unchecked {
            (uint256 slot, uint256 shift) = _lane(kind, t);
            uint256 word = issuedW[slot];
            uint256 oldW = uint64(word >> shift);
            sumW = oldW + powerW;
            issuedW[slot] = word ^ ((oldW ^ uint256(uint64(sumW))) << shift);
        }
    }

    /// @dev One word holds four sums of 64 bits: EPA and ECA of an even interval and of the next one.
    function _lane(uint256 kind, uint256 t) private pure returns (uint256 slot, uint256 shift) {
        return (t >> 1, ((t & 1) << 7) | ((kind & 2) << 5));
    }

    function _issued(mapping(uint256 => uint256) storage issuedW, uint256 t) private view returns (uint256, uint256) {
        (uint256 slot, uint256 epa) = _lane(EPA, t);
        (, uint256 eca) = _lane(ECA, t);
        return (uint64(issuedW[slot] >> epa), uint64(issuedW[slot] >> eca));
    }

    // --- Regulation ----------------------------------------------------------------------------------------

    function _setFeeders(FeederCapacity[] calldata capacities) private {
        for (uint256 i = 0; i < capacities.length; ++i) {
            FeederCapacity calldata c = capacities[i];
            if (c.exportW > MAX_QUANTITY || c.importW > MAX_QUANTITY) revert BadCapacity(c.feeder);
            FeederAccount storage account = _feeders[c.feeder];
            (account.exportW, account.importW, account.recorded) = (c.exportW, c.importW, true);
        }
    }

    function _authorise(Authorisation[] calldata grants) private {
        for (uint256 i = 0; i < grants.length; ++i) {
            Authorisation calldata grant = grants[i];
            if (
                grant.key == address(0) || grant.maxEpaW > MAX_QUANTITY || grant.maxEcaW > MAX_QUANTITY
                    || grant.creditNano > MAX_QUANTITY
            ) revert BadGrant(grant.meter);
            if (!_feeders[grant.feeder].recorded) revert UnknownFeeder(grant.feeder);
            MeterAccount storage account = _meters[grant.meter];
            if (account.key != address(0) && account.feeder != grant.feeder) {
                revert FeederFixed(grant.meter, account.feeder);
            }
            (account.key, account.feeder, account.banned) = (grant.key, grant.feeder, false);
            (account.maxEpaW, account.maxEcaW, account.creditNano) = (grant.maxEpaW, grant.maxEcaW, grant.creditNano);
        }
    }

    function _ban(uint32[] calldata meters) private {
        for (uint256 i = 0; i < meters.length; ++i) {
            if (_meters[meters[i]].key == address(0)) revert UnknownMeter(meters[i]);
            _meters[meters[i]].banned = true;
        }
    }

    function _settle(Settlement[] calldata settlements) private {
        for (uint256 i = 0; i < settlements.length; ++i) {
            (uint32 meter, uint64 amountNano) = (settlements[i].meter, settlements[i].amountNano);
            MeterAccount storage account = _meters[meter];
            if (account.key == address(0)) revert UnknownMeter(meter);
            uint256 outstandingNano = account.faWithdrawnNano - account.faSettledNano;
            if (amountNano == 0 || amountNano > outstandingNano) {
                revert BadSettlement(meter, outstandingNano, amountNano);
            }
            account.faSettledNano += amountNano;
        }
    }

    function _announce(PriceChange[] calldata prices) private {
        for (uint256 i = 0; i < prices.length; ++i) {
            (uint256 consumption, uint256 production) =
                (prices[i].consumptionNanoPerWh, prices[i].productionNanoPerWh);
            uint256 highest = consumption > production ? consumption : production;
            if (highest > MAX_QUANTITY) revert BadPrice(highest);
            if (consumption < production) revert PriceInversion(consumption, production);
            if (prices[i].timeS < block.timestamp) revert TimeInPast(block.timestamp, prices[i].timeS);
            _prices.push(prices[i]);
        }
    }

    // --- Signatures ----------------------------------------------------------------------------------------

    function _checkOnlySignature(bytes32 digest, address expected, bytes[] calldata signatures) private pure {
        if (signatures.length != 1) revert SignatureCount(1, signatures.length);
        _checkSignature(digest, expected, signatures[0]);
    }

    /// @dev The zero address is nobody, and never authorised by a signature that recovers to nothing. Should the
    /// precompile itself run out of gas, `ecrecover` reverts without a reason, which no relay takes for a refusal.
    function _checkSignature(bytes32 digest, address expected, bytes calldata signature) private pure {
        address recovered = address(0);
        if (signature.length == 65) {
            bytes32 r;
            bytes32 s;
            uint8 v;
            assembly ("memory-safe") {
                r := calldataload(signature.offset)
                s := calldataload(add(signature.offset, 0x20))
                v := byte(0, calldataload(add(signature.offset, 0x40)))
            }
            if ((v == 27 || v == 28) && uint256(s) <= HALF_ORDER) recovered = ecrecover(digest, v, r, s);
        }
        if (recovered != expected || recovered == address(0)) revert BadSignature(expected, recovered);
    }

    /// @dev After a fork of the chain the old separator would serve both branches; then it is computed anew.
    function _domainSeparator() private view returns (bytes32) {
        return block.chainid == _chainId ? _separator : Digests.separator(NAME, VERSION, address(this));
    }

    // --- Relay ---------------------------------------------------------------------------------------------

    /// @dev Reuses the free memory of every call: a relay of many would otherwise pay for all of them at once.
    function _delegateToSelf(bytes calldata call) private returns (bool accepted) {
        assembly ("memory-safe") {
            let buffer := mload(0x40)
            calldatacopy(buffer, call.offset, call.length)
            accepted := delegatecall(gas(), address(), buffer, call.length, 0, 0)
        }
    }

    function _returned() private pure returns (bytes memory data) {
        assembly ("memory-safe") {
            data := mload(0x40)
            let size := returndatasize()
            mstore(data, size)
            returndatacopy(add(data, 0x20), 0, size)
            mstore(0x40, add(data, and(add(size, 0x3f), not(0x1f))))
        }
    }

    // --- Views ---------------------------------------------------------------------------------------------

    /// @inheritdoc IPetraLedger
    function status(bytes32 noteId) external view returns (uint8) {
        return uint8(_notes[noteId]);
    }

    /// @inheritdoc IPetraLedger
    function meterNonce(uint256 meter) external view returns (uint256) {
        return _meters[meter].nonce;
    }

    /// @inheritdoc IPetraLedger
    function priceAt(uint256 t) external view returns (PriceChange memory price, bool recorded) {
        uint256 startS = genesisS + t * intervalS;
        for (uint256 i = _prices.length; i != 0; --i) {
            if (_prices[i - 1].timeS <= startS) return (_prices[i - 1], true);
        }
    }

    /// @inheritdoc IPetraLedger
    function meterLimits(uint32 meter) external view returns (Authorisation memory grant, bool banned) {
        MeterAccount storage account = _meters[meter];
        grant = Authorisation(
            meter, account.key, account.feeder, account.maxEpaW, account.maxEcaW, account.creditNano
        );
        banned = account.banned;
    }

    /// @inheritdoc IPetraLedger
    function meterIssued(uint256 meter, uint256 t) external view returns (uint256 epaW, uint256 ecaW) {
        return _issued(_meters[meter].issuedW, t);
    }

    /// @inheritdoc IPetraLedger
    function meterCredit(uint256 meter) external view returns (uint256 withdrawnNano, uint256 settledNano) {
        return (_meters[meter].faWithdrawnNano, _meters[meter].faSettledNano);
    }

    /// @inheritdoc IPetraLedger
    function feederCaps(uint32 feeder) external view returns (FeederCapacity memory capacity, bool recorded) {
        FeederAccount storage account = _feeders[feeder];
        return (FeederCapacity(feeder, account.exportW, account.importW), account.recorded);
    }

    /// @inheritdoc IPetraLedger
    function feederIssued(uint256 feeder, uint256 t) external view returns (uint256 epaW, uint256 ecaW) {
        return _issued(_feeders[feeder].issuedW, t);
    }

    /// @inheritdoc IPetraLedger
    function eip712Domain()
        external
        view
        returns (bytes1, string memory, string memory, uint256, address, bytes32, uint256[] memory)
    {
        return (0x0f, NAME, VERSION, block.chainid, address(this), bytes32(0), new uint256[](0));
    }
}
