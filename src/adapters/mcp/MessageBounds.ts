/**
 * How much a server may send in one message: its values and their depth are counted on its bytes before anything parses
 * it. The client package checks whatever is parsed in one stretch, and takes a moment for each value that is wrong.
 */
import * as BoundedJson from "../../domain/BoundedJson.js"
import * as JsonBounds from "../../domain/JsonBounds.js"
import * as EventBounds from "../EventBounds.js"

/** Why a server was given up. Contains nothing that it wrote. */
export class Misbehaved extends Error {}

/** Twice as deep as a value may be, because a message has its own structure around it. */
const bounds: JsonBounds.JsonBounds = { values: BoundedJson.mostValues, depth: 2 * BoundedJson.deepest }

/** Takes the next bytes. Returns why the server is given up; null while all is well. */
type Take = (piece: Uint8Array) => Misbehaved | null

const giving =
  ({ take }: JsonBounds.Comparison): Take =>
  (piece) => {
    const excess = take(piece)
    return excess === null ? null : new Misbehaved(`sent too much in one message: ${excess}`)
  }

/** For one message, or a list of them. */
export const ofMessage = (): Take => giving(JsonBounds.comparing(bounds))

/** For a stream of events, each of which holds one message. */
export const ofEvents = (): Take => giving(EventBounds.comparing(bounds))
