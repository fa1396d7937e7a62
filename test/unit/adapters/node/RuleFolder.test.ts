import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Layer, TestClock } from "effect"
import { mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Permissions, Session } from "skein"
import * as RealNames from "../../../../src/adapters/node/RealNames.js"
import * as RuleFolder from "../../../../src/adapters/node/RuleFolder.js"
import { open } from "../../services/runtime/fixture.js"
import { folder } from "../../services/storage/disk.js"

const rule = (fields: Partial<RuleFolder.StoredRule> = {}): RuleFolder.StoredRule => ({
  word: "allow",
  pattern: "shell: ls*",
  folder: null,
  session: null,
  ...fields
})

const of = (id: string, workdir: string | null) => ({ id: Session.Id.make(id), workdir })

describe("a folder of rules", () => {
  it.scopedLive("keeps each rule once, whoever adds it, in files that are private to its owner", () =>
    Effect.gen(function* () {
      const path = join(yield* folder, "config", "rules")
      const [one, other] = [RuleFolder.open(path), RuleFolder.open(path)]
      expect(yield* one.all).toEqual([])
      const added = yield* Effect.all(
        [one, other, one, other].map(({ add }) => add(rule())),
        { concurrency: "unbounded" }
      )
      expect(added.filter(Boolean)).toHaveLength(1)
      yield* other.add(rule({ word: "deny" }))
      expect(new Set(yield* one.all)).toEqual(new Set([rule(), rule({ word: "deny" })]))
      const names = readdirSync(path)
      expect(names.map((name) => statSync(join(path, name)).mode & 0o777)).toEqual([0o600, 0o600])
      expect(statSync(path).mode & 0o777).toBe(0o700)
      yield* one.remove(rule())
      yield* one.remove(rule())
      expect(yield* other.all).toEqual([rule({ word: "deny" })])
    })
  )

  it.scopedLive("gives a session the rules for all sessions, for its folder and for itself", () =>
    Effect.gen(function* () {
      const rules = RuleFolder.open(yield* folder)
      const [all, work, mine] = [rule(), rule({ folder: "/work" }), rule({ session: Session.Id.make("a") })]
      yield* Effect.forEach([all, work, mine], rules.add)
      const found = (id: string, workdir: string | null) =>
        Effect.map(rules.of(of(id, workdir)), (rules) => new Set(rules))
      expect(yield* found("a", "/work/deep")).toEqual(new Set([all, work, mine]))
      expect(yield* found("b", "/work")).toEqual(new Set([all, work]))
      expect(yield* found("b", "/workshop")).toEqual(new Set([all]))
      expect(yield* found("b", null)).toEqual(new Set([all]))
    })
  )

  it.scopedLive("gives a session the rules for its folder, whatever links either was named through", () =>
    Effect.gen(function* () {
      const base = yield* folder
      const rules = RuleFolder.open(join(base, "rules"))
      const [real, link] = [join(base, "real"), join(base, "link")]
      mkdirSync(join(real, "deep"), { recursive: true })
      symlinkSync(real, link)
      const [byReal, byLink] = [rule({ folder: real }), rule({ folder: link })]
      yield* Effect.forEach([byReal, byLink, rule({ folder: join(base, "other") })], rules.add)
      for (const workdir of [real, join(link, "deep")]) {
        expect(new Set(yield* rules.of(of("a", workdir)))).toEqual(new Set([byReal, byLink]))
      }
    })
  )

  it.scoped("gives a session the rules that ask or deny in a folder whose links cannot be followed in time", () =>
    Effect.gen(function* () {
      const isAsked = yield* Deferred.make<void>()
      const names = RealNames.make((path) => {
        if (path !== "/gone") return Promise.resolve(path)
        Deferred.unsafeDone(isAsked, Exit.void)
        return new Promise(() => {})
      })
      const rules = RuleFolder.open(yield* folder, names)
      const words = ["allow", "ask", "deny"] as const
      const gone = words.map((word) => rule({ word, folder: "/gone" }))
      yield* Effect.forEach([...gone, ...words.map((word) => rule({ word, folder: "/other" }))], rules.add)
      const found = yield* Effect.fork(rules.of(of("a", "/work")))
      yield* Deferred.await(isAsked)
      yield* TestClock.adjust("1 second")
      expect(new Set(yield* found)).toEqual(new Set(gone.slice(1)))
      expect(new Set(yield* rules.of(of("a", "/gone/deep")))).toEqual(new Set(gone))
    })
  )

  it.scopedLive("is unusable while a file in it is not a rule, because that might have been a denial", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const rules = RuleFolder.open(path)
      yield* rules.add(rule())
      writeFileSync(join(path, "broken.json"), "{")
      expect(yield* Effect.flip(rules.all)).toMatchObject({
        _tag: "RulesUnusable",
        path: join(path, "broken.json"),
        reason: "not a rule"
      })
      rmSync(join(path, "broken.json"))
      expect(yield* rules.all).toEqual([rule()])
    })
  )

  it.scopedLive("gives an engine rules that were added meanwhile, and stores its own for the session's folder", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const context = yield* Layer.build(RuleFolder.layer(path))
      const { gateway } = yield* open()
      const session = yield* gateway.create({ workdir: "/work" })
      const elsewhere = yield* gateway.create({ workdir: "/home" })
      yield* Effect.gen(function* () {
        const { of, store } = yield* Permissions.Rules
        expect(yield* of(session)).toEqual([])
        yield* RuleFolder.open(path).add(rule({ word: "deny" }))
        expect(yield* of(session)).toEqual([rule({ word: "deny" })])
        yield* store(session, { word: "allow", pattern: "write: a" })
        expect(yield* of(session)).toContainEqual(rule({ pattern: "write: a", folder: "/work" }))
        expect(yield* of(elsewhere)).toEqual([rule({ word: "deny" })])
      }).pipe(Effect.provide(context))
    })
  )
})
