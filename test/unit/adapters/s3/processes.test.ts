/** Engines in processes of their own, with their assets in a bucket: killed in the middle of a save; a large asset. */
import { NodeFileSystem } from "@effect/platform-node"
import { FileSystem } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Option, Schema } from "effect"
import * as Identity from "../../../../src/adapters/node/Identity.js"
import * as NodeHashing from "../../../../src/adapters/node/NodeHashing.js"
import * as Assets from "../../../../src/services/assets/Assets.js"
import { bundle } from "../../../support/programs/Bundle.js"
import * as Process from "../../../support/programs/Process.js"
import * as S3Server from "../../../support/s3/S3Server.js"
import { bucket, bucketAt } from "../../../support/s3/TestBucket.js"
import { engineIn } from "../../services/storage/disk.js"

const minutes = 60_000

const started = (...sizes: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const server = yield* S3Server.make({ ...bucket, pageSize: 25 })
    const data = yield* Effect.flatMap(FileSystem.FileSystem, (files) =>
      files.makeTempDirectoryScoped({ prefix: "skein-" })
    )
    const program = yield* bundle(new URL("saver.ts", import.meta.url), { whole: true })
    const start = Process.start(process.execPath, ["--expose-gc", program, data, server.endpoint, ...sizes.map(String)])
    return { server, data, start }
  }).pipe(Effect.provide(NodeFileSystem.layer))

/** Another engine on the same folder and bucket sweeps. */
const sweep = (data: string, endpoint: string) =>
  Effect.flatMap(Assets.Assets, (assets) => assets.sweep).pipe(
    Effect.provide(
      Assets.layer.pipe(
        Layer.provide(engineIn(data)),
        Layer.provide([bucketAt(endpoint), NodeHashing.layer, Identity.layer])
      )
    )
  )

const isPart = (number: number) => (seen: S3Server.Seen) => seen.query.get("partNumber") === `${number}`
const isCopy = ({ headers }: S3Server.Seen) => headers["x-amz-copy-source"] !== undefined

describe("an engine with its assets in a bucket", () => {
  for (const [when, fault, isAt] of [
    ["in the middle of a part", { kind: "stall", bytes: -1, until: Effect.never }, isPart(2)],
    ["when its upload is begun", { kind: "stall", bytes: -1, until: Effect.never }, isPart(1)],
    ["when its content is placed", { kind: "stall", bytes: 0, until: Effect.never }, isCopy]
  ] as const) {
    it.scopedLive(
      `P11 no leftovers: killed ${when}, leaves nothing after a sweep`,
      () =>
        Effect.gen(function* () {
          const { data, server, start } = yield* started(20)
          const { reached } = yield* server.fail(isAt, fault, Number.POSITIVE_INFINITY)
          const child = yield* start
          yield* Effect.raceFirst(
            reached,
            Effect.flatMap(child.ended, ({ stderr }) => Effect.dieMessage(`it ended: ${stderr}`))
          )
          expect(yield* sweep(data, server.endpoint)).toEqual({ uploads: 0, files: 0 })
          yield* child.signal("SIGKILL")
          yield* child.ended
          expect(server.objects.size + server.uploads.size).toBeGreaterThan(1)
          expect(yield* sweep(data, server.endpoint)).toEqual({ uploads: 1, files: isAt === isCopy ? 1 : 0 })
          expect([...server.objects.keys()]).toEqual([])
          expect(server.uploads.size).toBe(0)
          expect(yield* sweep(data, server.endpoint)).toEqual({ uploads: 0, files: 0 })
        }),
      2 * minutes
    )
  }

  const Said = Schema.parseJson(Schema.Struct({ bytes: Schema.Number, peak: Schema.Number }))

  it.scopedLive(
    "holds only a few parts in memory, however large an asset is",
    () =>
      Effect.gen(function* () {
        const { server, start } = yield* started(16, 64)
        const child = yield* start
        const said = Effect.flatMap(child.line, (line) =>
          Option.isNone(line)
            ? Effect.flatMap(child.ended, ({ stderr }) => Effect.dieMessage(stderr))
            : Schema.decode(Said)(line.value)
        )
        const [small, large] = [yield* said, yield* said]
        expect(small.bytes).toBe(16 * 1024 * 1024)
        expect(large.bytes).toBe(64 * 1024 * 1024)
        expect(small.peak).toBeGreaterThanOrEqual(8)
        expect(large.peak).toBeLessThan(48)
        expect([...server.objects.values()].map(({ length }) => length)).toEqual([small.bytes, large.bytes])
      }),
    2 * minutes
  )
})
