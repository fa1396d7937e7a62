import { describe, expect, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { randomUUID } from "node:crypto"
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as SignIn from "../../../../src/adapters/server/access/SignIn.js"
import * as TokenText from "../../../../src/adapters/server/access/TokenText.js"
import { folder } from "../../services/storage/disk.js"

const as = { name: TokenText.local, hash: TokenText.hashOf("token") }

/** A browser that has just signed in. */
const signedIn = Effect.fnUntraced(function* (path: string) {
  const signIn = SignIn.make(path)
  const cookie = yield* Effect.flatMap(signIn.code(as, "1 minute"), (code) => signIn.exchange(code, "name"))
  return { signIn, cookie: cookie ?? (yield* Effect.dieMessage("the code was not good")) }
})

describe("a code", () => {
  it.scoped("is good once and for its time, wherever it was made, and is not in its file", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const [command, server] = [SignIn.make(path), SignIn.make(path)]
      const code = yield* command.code(as, "1 minute")
      const files = readdirSync(join(path, "codes"))
      expect(files).toHaveLength(1)
      expect(files.join() + readFileSync(join(path, "codes", files[0] ?? ""), "utf8")).not.toContain(code)
      expect(statSync(join(path, "codes", files[0] ?? "")).mode & 0o077).toBe(0)
      const both = yield* Effect.all([server.exchange(code, "name"), command.exchange(code, "name")])
      expect(both.filter((cookie) => cookie !== null)).toHaveLength(1)
      const late = yield* command.code(as, "1 minute")
      yield* TestClock.adjust("1 minute")
      expect(yield* server.exchange(late, "name")).toBeNull()
      expect(readdirSync(join(path, "codes"))).toEqual([])
    })
  )
})

describe("a cookie", () => {
  it.scoped("stays valid for twelve hours, even in a restarted server, unless it is ended", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const { cookie } = yield* signedIn(path)
      const anew = SignIn.make(path)
      expect(yield* anew.find(cookie)).toMatchObject(as)
      expect(yield* anew.find(cookie.replace("name", "other"))).toBeNull()
      yield* TestClock.adjust("11 hours")
      const { cookie: another, signIn } = yield* signedIn(path)
      expect(yield* anew.find(cookie)).toMatchObject(as)
      yield* TestClock.adjust("1 hour")
      expect(yield* anew.find(cookie)).toBeNull()
      expect(yield* anew.find(another)).toMatchObject(as)
      yield* signIn.end(another)
      expect(yield* anew.find(another)).toBeNull()
    })
  )

  it.scoped("is not in its file, which is private to the owner and removed after it expires", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const { cookie } = yield* signedIn(path)
      const cookies = join(path, "cookies")
      const [file = ""] = readdirSync(cookies)
      const text = file + readFileSync(join(cookies, file), "utf8")
      expect(text).not.toContain(cookie.split("=")[1])
      expect(statSync(join(cookies, file)).mode & 0o077).toBe(0)
      writeFileSync(join(cookies, TokenText.hashOf("damaged")), "{")
      yield* TestClock.adjust("12 hours")
      yield* signedIn(path)
      expect(readdirSync(cookies)).toHaveLength(1)
      expect(readdirSync(cookies)).not.toContain(file)
    })
  )

  it.scoped("is kept without removing what another process is writing beside it", () =>
    Effect.gen(function* () {
      const path = yield* folder
      yield* signedIn(path)
      const draft = join(path, "cookies", `.${randomUUID()}.tmp`)
      writeFileSync(draft, "")
      yield* signedIn(path)
      expect(existsSync(draft)).toBe(true)
    })
  )
})
