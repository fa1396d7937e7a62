/**
 * Everything that can be wrong, made for real: the doctor names it, says what it would do, does it, and then finds
 * nothing.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { type Entry } from "../../../../src/domain/Message.js"
import { SessionId } from "../../../../src/domain/Session.js"
import * as ScriptedModel from "../../../../src/services/ScriptedModel.js"
import { CheckProgress } from "../../../../src/services/storage/sql/doctor/CheckProgress.js"
import * as AssetNames from "../../../../src/services/assets/AssetNames.js"
import * as Connection from "../../../../src/adapters/sqlite/doctor/Connection.js"
import * as Aside from "../../../../src/adapters/sqlite/Aside.js"
import type { Outcome } from "../../../../src/services/storage/sql/doctor/Finding.js"
import * as RowRepair from "../../../../src/services/storage/sql/doctor/RowRepair.js"
import { Gateway } from "../../../../src/services/gateway/Gateway.js"
import { folder } from "../../services/storage/disk.js"
import {
  assetFile,
  assetText,
  damages,
  databaseIn,
  engineOn,
  look,
  one,
  populated,
  repair,
  tamper,
  transcript,
  two
} from "./populated.js"

import { asides, damaged, isMended, reloads, text } from "./damaged.js"

describe("a healthy data folder", () => {
  it.scopedLive("has nothing wrong, with an engine on it and without", () =>
    Effect.gen(function* () {
      const data = join(yield* folder, "data")
      yield* populated(data)
      expect(damages(yield* look(data))).toEqual([])
      yield* Effect.provide(
        Effect.gen(function* () {
          yield* Gateway
          expect(damages(yield* look(data))).toEqual([])
        }),
        engineOn(data)
      )
      expect(damages(yield* repair(data))).toEqual([])
      expect(readdirSync(data).toSorted()).toEqual(["assets", "skein.db", "skein.db-shm"])
    })
  )

  it.scopedLive("has nothing wrong while an engine works on it", () =>
    Effect.gen(function* () {
      const data = join(yield* folder, "data")
      yield* populated(data)
      /** Lets the engine work between two sessions of a check. */
      const report = () => Effect.async<void>((resume) => void setImmediate(() => resume(Effect.void)))
      yield* Effect.gen(function* () {
        const gateway = yield* Gateway
        const model = yield* ScriptedModel.ScriptedModel
        let done = 0
        const work = Effect.gen(function* () {
          const id = SessionId.make(`busy${done}`)
          yield* gateway.create({ id, workdir: "/" })
          yield* model.play({ text: "an answer" })
          yield* gateway.await(yield* gateway.send({ sessionId: id, text: "go" }))
          const content = Stream.make(new TextEncoder().encode("content"))
          for (const name of ["a", "b"]) {
            const asset = yield* gateway.saveAsset({ sessionId: id, name, mediaType: "text/plain", content })
            if (name === "a") yield* gateway.deleteAsset(id, asset.id)
          }
          yield* gateway.delete(id)
          done++
        })
        yield* Effect.forkScoped(Effect.forever(work))
        let looks = 0
        while (done < 20 || looks < 20) {
          looks++
          const seen = yield* Effect.provideService(look(data), CheckProgress, { report })
          expect(damages(seen)).toEqual([])
        }
      }).pipe(Effect.provide(engineOn(data)))
    })
  )

  it.scopedLive("may also be missing or empty", () =>
    Effect.gen(function* () {
      const data = join(yield* folder, "data")
      expect((yield* look(data)).map(({ finding }) => finding.kind)).toEqual(["folder-missing"])
      expect(existsSync(data)).toBe(false)
      mkdirSync(data, { mode: 0o700 })
      expect((yield* look(data)).map(({ finding }) => finding.kind)).toEqual(["database-missing"])
      expect(readdirSync(data)).toEqual([])
    })
  )
})

describe("a damaged row", () => {
  const replaced = (name: string, seq: number, check: (entry: Entry | undefined) => void) =>
    it.scopedLive(`that does not decode is replaced by a message that says so: ${name}`, () =>
      Effect.gen(function* () {
        const { data, seen } = yield* damaged((data) =>
          tamper(data, `UPDATE messages SET body = '{"role":"lost' WHERE seq = ${seq} AND session = 1`)
        )
        expect(damages(seen)).toEqual([`session one at ${seq}: message-damaged`])
        const mended = yield* isMended(data)
        expect(mended.one).toHaveLength(transcript.length)
        check(mended.one[seq - 1])
        for (const [index, entry] of mended.one.entries()) {
          if (index !== seq - 1) expect(entry.message).toEqual(transcript[index])
        }
        const [kept = ""] = asides(data)
        expect(readFileSync(join(data, "aside", kept), "utf8")).toContain('{\\"role\\":\\"lost')
        expect(mended.repaired.map(({ repaired }) => repaired)).toEqual([
          {
            aside: [join(data, "aside", kept)],
            recovered: [],
            lost: 1,
            sessions: []
          }
        ])
        expect(yield* reloads(data, one)).toBe(true)
      })
    )

  replaced("a user's message", 6, (entry) => expect(entry?.message.role).toBe("user"))
  replaced("an answer", 5, (entry) => expect(entry?.message.role).toBe("assistant"))
  replaced("a result keeps its call and its outcome", 3, (entry) =>
    expect(entry?.message).toMatchObject({ role: "tool", callId: "c1", name: "read", outcome: "success" })
  )
  replaced("an answer with calls keeps them", 2, (entry) =>
    expect(entry?.message).toMatchObject({
      role: "assistant",
      parts: [{ type: "text" }, { type: "call", callId: "c1" }, { type: "call", callId: "c2" }]
    })
  )

  it.scopedLive("that is missing is replaced by a message that says so", () =>
    Effect.gen(function* () {
      const { data, seen } = yield* damaged((data) =>
        tamper(data, "DELETE FROM messages WHERE session = 1 AND seq IN (2, 4, 5)")
      )
      expect(damages(seen)).toContain("session one at 2: messages-missing")
      expect(damages(seen)).toContain("session one at 4 to 5: messages-missing")
      const mended = yield* isMended(data)
      expect(mended.one.map(({ message }) => message.role).slice(1, 3)).toEqual(["assistant", "tool"])
      expect(mended.one.map(text)[2]).toBe("the text of c1")
      expect(mended.one.map(text)[5]).toBe("second question")
    })
  )

  it.scopedLive("a missing result is replaced by an interrupted one", () =>
    Effect.gen(function* () {
      const { data } = yield* damaged((data) => tamper(data, "DELETE FROM messages WHERE session = 1 AND seq = 4"))
      const mended = yield* isMended(data)
      expect(mended.one[3]?.message).toMatchObject({ role: "tool", callId: "c2", outcome: "interrupted" })
    })
  )

  it.scopedLive("of the events makes clients load the session again, and costs no message", () =>
    Effect.gen(function* () {
      const { data, seen } = yield* damaged((data) =>
        tamper(data, "DELETE FROM event_rows WHERE session = 2 AND type = 'run.started'")
      )
      expect(damages(seen)).toEqual([expect.stringMatching(/^session two, events \d+: events-damaged$/)])
      yield* isMended(data)
      expect(yield* reloads(data, two)).toBe(true)
    })
  )

  it.scopedLive("of a session, a run or a question harms no other row", () =>
    Effect.gen(function* () {
      const { data, seen } = yield* damaged((data) =>
        tamper(
          data,
          "UPDATE session_rows SET metadata = '[1]', model = 'x' WHERE id = 'one'",
          "UPDATE runs SET metadata = 'x', stop_reason = 'bored'",
          `INSERT INTO questions (id, session, run, seq, call, tool, access, asked_at, input)
           SELECT 'q1', 2, ordinal, 1, 'c9', 'shell', 'write', 1, 'no json' FROM runs`
        )
      )
      expect(damages(seen).map((line) => line.replace(/run_\w+/, "run"))).toEqual([
        "session one: row-damaged",
        "session two, run run: row-damaged",
        "session two, question q1: row-damaged"
      ])
      const mended = yield* isMended(data)
      expect(mended.one).toHaveLength(transcript.length)
      expect(mended.two.map(text)).toContain("the answer of a run")
      expect(asides(data)).toHaveLength(3)
    })
  )

  it.scopedLive("a session without its own row gets a new one", () =>
    Effect.gen(function* () {
      const { data, seen } = yield* damaged((data) => tamper(data, "DELETE FROM session_rows WHERE id = 'two'"))
      expect(damages(seen)).toContain(`${databaseIn(data)}: session-rows-missing`)
      expect(damages(yield* repair(data))).toEqual([])
      expect(damages(yield* look(data))).toEqual([])
      const ids = yield* Effect.flatMap(Gateway, (gateway) => gateway.sessions()).pipe(Effect.provide(engineOn(data)))
      expect(ids.sessions.map(({ head, id }) => `${id} ${head}`).toSorted()).toEqual(["one 6", "recovered-2 3"])
    })
  )

  it.scopedLive("a session that gets a new row gives out no cursor again", () =>
    Effect.gen(function* () {
      const { data } = yield* damaged((data) =>
        // Results of a run have events with rows of their own, and these are lost too.
        tamper(
          data,
          "DELETE FROM messages WHERE session = 1 AND seq > 4",
          "UPDATE messages SET run = 1, follows = 70 WHERE session = 1 AND seq > 2",
          "DELETE FROM event_rows WHERE session = 1",
          "DELETE FROM session_rows WHERE ordinal = 1"
        )
      )
      yield* repair(data)
      const { cursor } = yield* Effect.flatMap(Gateway, (gateway) => gateway.session(one)).pipe(
        Effect.provide(engineOn(data))
      )
      expect(cursor).toBeGreaterThanOrEqual(71)
    })
  )

  it.scopedLive("a repair that does not remove its finding is undone and reported as failed", () =>
    Effect.gen(function* () {
      const { data } = yield* damaged((data) => tamper(data, `UPDATE runs SET created_at = ${2 ** 53}`))
      const [seen] = yield* look(data)
      const finding = seen?.finding
      if (finding === undefined) throw new Error("nothing found")
      const aside = Connection.asidePlace(Aside.make(data, 0))
      const again = Effect.succeed([finding])
      const outcomes = yield* Effect.scoped(
        Effect.flatMap(Connection.open(databaseIn(data), true), (database) =>
          RowRepair.run({ database, aside }, { ordinal: 2, id: two }, [finding], again)
        )
      )
      expect(outcomes).toEqual([{ _tag: "Failed", finding, code: "NO_EFFECT" }])
      expect(asides(data)).toEqual([])
      expect(damages(yield* look(data))).toEqual([expect.stringMatching(/^session two, run run_\w+: row-damaged$/)])
      yield* isMended(data)
    })
  )

  it.scopedLive("an open call that no run will finish is closed", () =>
    Effect.gen(function* () {
      const { data, seen } = yield* damaged((data) =>
        tamper(
          data,
          "DELETE FROM messages WHERE session = 1 AND seq > 3",
          "INSERT INTO calls (session, seq, position, follows, id, name) SELECT 1, 4, 1, follows, 'c2', 'read' FROM messages WHERE session = 1 AND seq = 3"
        )
      )
      expect(damages(seen)).toContain("session one at 4: call-abandoned")
      const mended = yield* isMended(data)
      expect(mended.one[3]?.message).toMatchObject({ role: "tool", callId: "c2", outcome: "never-started" })
    })
  )
})

describe("assets", () => {
  it.scopedLive("may have a folder beside them with which a killed process read the disk's clock: it is removed", () =>
    Effect.gen(function* () {
      const { data, seen } = yield* damaged((data) => mkdirSync(join(data, "assets", ".now-left")))
      expect(damages(seen)).toEqual([])
      expect(seen.map(({ finding }) => finding)).toContainEqual(
        expect.objectContaining({ kind: "left-behind", ids: { path: join(data, "assets", ".now-left"), by: "save" } })
      )
      yield* isMended(data)
      expect(readdirSync(join(data, "assets"))).not.toContain(".now-left")
    })
  )

  it.scopedLive("without a file are reported, and files without an asset are moved aside", () =>
    Effect.gen(function* () {
      const { data, seen } = yield* damaged((data) => {
        const file = assetFile(data)
        rmSync(file)
        writeFileSync(join(data, "assets", "one", `ast_x.1.${"0".repeat(64)}`), "an orphan")
        writeFileSync(join(data, "assets", "one", "notes.txt"), "somebody's notes")
        mkdirSync(join(data, "assets", "No Session"))
      })
      expect(damages(seen).map((line) => line.replaceAll(data, "DATA"))).toEqual([
        expect.stringMatching(/^session one, asset ast_\w+: asset-lost$/),
        "DATA/assets/No Session: stray-file",
        `DATA/assets/one/ast_x.1.${"0".repeat(64)}: stray-file`,
        "DATA/assets/one/notes.txt: stray-file"
      ])
      yield* isMended(data)
      expect(asides(data).some((name) => name.endsWith("/assets/one/notes.txt"))).toBe(true)
      expect(asides(data)).toHaveLength(3)
    })
  )

  for (const [name, harm] of [
    ["changed", (path: string) => writeFileSync(path, assetText.replace("content", "CONTENT"))],
    ["cut short", (path: string) => truncateSync(path, 5)]
  ] as const) {
    it.scopedLive(`whose bytes were ${name} are reported and moved aside`, () =>
      Effect.gen(function* () {
        const { data, seen } = yield* damaged((data) => harm(assetFile(data)))
        expect(damages(seen)).toEqual([expect.stringMatching(/^session one, asset ast_\w+: asset-lost$/)])
        yield* isMended(data)
        expect(asides(data)).toHaveLength(2)
        yield* Effect.gen(function* () {
          const gateway = yield* Gateway
          expect(yield* gateway.assets(one)).toEqual([])
        }).pipe(Effect.provide(engineOn(data)))
      })
    )
  }
})

describe("what a crash leaves among files", () => {
  const notes = (seen: ReadonlyArray<Outcome>) => seen.filter(({ finding }) => finding.kind === "left-behind").length

  const nobody = { bootId: "none", pidNamespace: "none", pid: 1, startTime: "none", instance: "none", host: null }

  for (const [name, harm] of [
    [
      "an unfinished save",
      (data: string) => mkdirSync(join(data, "assets", "one", AssetNames.marker("upl_1", nobody)))
    ],
    [
      "a deletion between the row and the file",
      (data: string) =>
        tamper(
          data,
          `INSERT INTO event_rows (session, cursor, mark, at, type, ref)
           SELECT session, (SELECT cursor + 1 FROM session_rows WHERE ordinal = session), 0, 0, 'asset.deleted', id FROM assets`,
          "UPDATE session_rows SET cursor = cursor + 1 WHERE ordinal IN (SELECT session FROM assets)",
          "DELETE FROM assets"
        )
    ],
    [
      "the deletion of a session",
      (data: string) => tamper(data, "UPDATE session_rows SET state = 'hidden' WHERE id = 'one'", "DELETE FROM assets")
    ],
    [
      "a save between the file and the row",
      (data: string) => {
        mkdirSync(join(data, "assets", "one", AssetNames.marker("upl_1", nobody)))
        writeFileSync(join(data, "assets", "one", `ast_x.1.${"0".repeat(64)}`), "not stored")
      }
    ],
    [
      "a save between the file and the row, whose marker is swept",
      (data: string) => writeFileSync(join(data, "assets", "one", `ast_x.${2 ** 42}.${"0".repeat(64)}`), "not stored")
    ]
  ] as const) {
    it.scopedLive(`is only a note, and a repair cleans it up: ${name}`, () =>
      Effect.gen(function* () {
        const { data, seen } = yield* damaged(harm)
        expect(damages(seen)).toEqual([])
        expect(seen.map(({ finding }) => finding.kind)).toContain("left-behind")
        const left = readdirSync(join(data, "assets", "one")).length
        expect(damages(yield* repair(data))).toEqual([])
        expect(readdirSync(join(data, "assets", "one"))).toHaveLength(left - notes(seen))
        expect(asides(data)).toEqual([])
        expect((yield* look(data)).map(({ finding }) => finding.kind)).not.toContain("left-behind")
      })
    )
  }
})

describe("a file that is not our database", () => {
  it.scopedLive("is moved aside when it is not a database at all", () =>
    Effect.gen(function* () {
      const { data, seen } = yield* damaged((data) => writeFileSync(databaseIn(data), "once upon a time ".repeat(100)))
      expect(damages(seen)).toEqual([`${databaseIn(data)}: not-a-database`])
      const repaired = yield* repair(data)
      expect(readFileSync(join(data, "aside", asides(data)[0] ?? ""), "utf8")).toContain("once upon")
      expect(damages(repaired)).toEqual([`${databaseIn(data)}: database-lost`])
    })
  )

  for (const [name, harm, reason] of [
    ["another program's", "PRAGMA application_id = 7; DROP TABLE migrations", "foreign-database"],
    [
      "a newer version's",
      "PRAGMA user_version = 999; INSERT INTO migrations (migration_id, name) VALUES (999, 'later')",
      "newer-version"
    ]
  ] as const) {
    it.scopedLive(`is left alone when it is ${name}`, () =>
      Effect.gen(function* () {
        const { data, seen } = yield* damaged((data) => tamper(data, harm))
        expect(seen.map(({ finding }) => finding)).toMatchObject([{ kind: "unusable", ids: { reason } }])
        const before = readFileSync(databaseIn(data))
        expect(damages(yield* repair(data))).toEqual(damages(seen))
        expect(readFileSync(databaseIn(data)).equals(before)).toBe(true)
        expect(asides(data)).toEqual([])
      })
    )
  }

  it.scopedLive("is reported when it has two names, is empty, or is missing next to its log", () =>
    Effect.gen(function* () {
      const linked = yield* damaged((data) => linkSync(databaseIn(data), join(data, "twin.db")))
      expect(damages(linked.seen)).toEqual([`${databaseIn(linked.data)}: many-names`])

      const empty = yield* damaged((data) => truncateSync(databaseIn(data), 0))
      expect(empty.seen.map(({ finding }) => finding.kind)).toEqual(["database-empty"])

      const alone = yield* damaged((data) => {
        rmSync(databaseIn(data))
        writeFileSync(join(data, "skein.db-wal"), "frames")
      })
      expect(damages(alone.seen)).toContain(`${join(alone.data, "skein.db-wal")}: stray-log`)
      yield* repair(alone.data)
      expect(asides(alone.data).some((name) => name.endsWith("/skein.db-wal"))).toBe(true)
    })
  )

  it.scopedLive("others' access to files is reported and closed", () =>
    Effect.gen(function* () {
      const { data, seen } = yield* damaged((data) => {
        chmodSync(databaseIn(data), 0o644)
        chmodSync(join(data, "assets"), 0o755)
      })
      expect(damages(seen)).toHaveLength(2)
      yield* isMended(data)
      expect(statSync(databaseIn(data)).mode & 0o777).toBe(0o600)
    })
  )
})
