/** A process under torture that only opens the database and closes it. It starts faster than an engine. */
import { Effect, Layer, Schema } from "effect"
import { writeSync } from "node:fs"
import * as SqliteDatabase from "../../../src/adapters/sqlite/SqliteDatabase.js"
import { DataDirectory } from "../../../src/services/DataDirectory.js"
import * as Crossing from "./Crossing.js"
import { dataOf } from "./Folders.js"
import { Line, type Said, Setup } from "./Protocol.js"

const { folder, point } = Schema.decodeUnknownSync(Setup)(process.argv[2])
const crossing = Crossing.make(point)

const say = (said: Said): void => void writeSync(1, `${Schema.encodeSync(Line)(said)}\n`)

const database = Layer.provide(SqliteDatabase.layer, Layer.succeed(DataDirectory, dataOf(folder)))
await Effect.runPromise(Effect.scoped(Layer.build(database)))
say({ _tag: "Ended", crossed: crossing.counts() })
