/** What released versions left, exported from their data folder and imported into a new one: readers see the same. */
import { expect, it } from "@effect/vitest"
import { Chunk, Effect, Layer, Logger, Stream } from "effect"
import { join } from "node:path"
import type { SessionId } from "../../../../src/domain/Session.js"
import { Gateway } from "../../../../src/services/gateway/Gateway.js"
import * as Golden from "../../../support/golden/Golden.js"
import { folder } from "../../services/storage/disk.js"
import { damages, engineOn, look } from "./populated.js"
import { sendToAll } from "./killed.js"

const quietly = <A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.provide(layer, Logger.remove(Logger.defaultLogger))

const all = <A, E, R>(stream: Stream.Stream<A, E, R>) => Effect.map(Stream.runCollect(stream), Chunk.toReadonlyArray)

/** What readers see of a session, except for its cursor and what is not settled. */
const seen = (sessionId: SessionId) =>
  Effect.gen(function* () {
    const gateway = yield* Gateway
    const { cursor: _, ...session } = yield* gateway.session(sessionId)
    const to = { sessionId }
    const assets = yield* gateway.assets(sessionId)
    return {
      session,
      transcript: yield* all(gateway.transcript(to)),
      timeline: yield* all(gateway.timeline(to)),
      runs: yield* gateway.runs({ sessionId }),
      assets,
      contents: yield* Effect.forEach(assets, ({ id }) =>
        Effect.map(all(gateway.openAsset({ sessionId, assetId: id })), (pieces) =>
          Buffer.concat(pieces).toString("hex")
        )
      )
    }
  })

for (const version of Golden.versions) {
  it.scopedLive(`P2 ${version}: exported and imported sessions are as they were, and go on`, () =>
    Effect.gen(function* () {
      const from = yield* Golden.copied(Golden.golden(version))
      const to = join(yield* folder, "data")
      const source = yield* Effect.gen(function* () {
        const gateway = yield* Gateway
        const { sessions } = yield* gateway.sessions({})
        return {
          lines: yield* all(gateway.exportSessions()),
          ids: sessions.map(({ id }) => id),
          settled: yield* Effect.forEach(
            sessions.filter(({ id }) => ["full", "plainer", "reused"].includes(id)),
            ({ id }) => seen(id)
          )
        }
      }).pipe(Effect.provide(quietly(engineOn(from))))
      expect(source.settled).toHaveLength(3)
      yield* Effect.gen(function* () {
        const gateway = yield* Gateway
        const content = Stream.fromIterable(source.lines.map((line) => new TextEncoder().encode(line)))
        yield* gateway.importSessions({ content, withGrants: true })
        const { sessions } = yield* gateway.sessions({})
        expect(sessions.map(({ id }) => id)).toEqual(source.ids)
        for (const before of source.settled) expect(yield* seen(before.session.id)).toEqual(before)
        const rows = (lines: ReadonlyArray<string>) => lines.filter((line) => !/^{"type":"s(ession"|kein)/.test(line))
        expect(rows(yield* all(gateway.exportSessions()))).toEqual(rows(source.lines))
      }).pipe(Effect.provide(quietly(engineOn(to))))
      expect(damages(yield* look(to))).toEqual([])
      const ends = yield* sendToAll(to)
      expect(ends.toSorted()).toEqual(source.ids.map((id) => `${id} completed`).toSorted())
      expect(damages(yield* look(to))).toEqual([])
    })
  )
}
