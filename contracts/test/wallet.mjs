// A wallet that shares no code with PETra: ethers signs the typed data of vectors.json. One JSON line for each vector.
import { readFileSync } from "node:fs";
import { TypedDataEncoder, Wallet } from "ethers";

const struct = (members) =>
  members.split(",").map((member) => {
    const [type, name] = member.split(" ");
    return { type, name };
  });

const Note = struct("uint8 kind,address owner,uint64 quantity,uint32 start,uint32 end");
const TYPES = {
  Withdraw: { Withdraw: struct("uint32 meter,uint64 nonce,uint32 window,Note[] outputs"), Note },
  Transact: { Transact: struct("bytes32[] inputs,Note[] outputs,bytes32 memo"), Note },
  Order: {
    Order: struct(
      "uint8 side,bytes32 energy,bytes32[] money,uint64 limitNanoPerWh,address deliverTo,address payTo," +
        "uint64 expiresS,uint32 leastW,address keepAt,uint8 nonce",
    ),
  },
  Cancel: { Cancel: struct("address owner,uint256 nonces") },
  Regulate: {
    Regulate: struct(
      "uint64 nonce,FeederCapacity[] feeders,Authorisation[] authorise,uint32[] ban,Settlement[] settle," +
        "PriceChange[] prices,uint40 timeS,address successor",
    ),
    FeederCapacity: struct("uint32 feeder,uint64 exportW,uint64 importW"),
    Authorisation: struct(
      "uint32 meter,address key,uint32 feeder,uint64 maxEpaW,uint64 maxEcaW,uint64 creditNano",
    ),
    Settlement: struct("uint32 meter,uint64 amountNano"),
    PriceChange: struct("uint64 timeS,uint64 consumptionNanoPerWh,uint64 productionNanoPerWh"),
  },
};

const { domain, cases } = JSON.parse(readFileSync(process.argv[2], "utf8"));
for (const { name, type, key, message } of cases) {
  const wallet = new Wallet(key);
  console.log(
    JSON.stringify({
      name,
      signer: wallet.address.toLowerCase(),
      digest: TypedDataEncoder.hash(domain, TYPES[type], message),
      signature: await wallet.signTypedData(domain, TYPES[type], message),
    }),
  );
}
