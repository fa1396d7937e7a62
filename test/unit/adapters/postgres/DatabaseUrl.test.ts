import { describe, expect, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as DatabaseUrl from "../../../../src/adapters/postgres/DatabaseUrl.js"
import * as PostgresSettings from "../../../../src/adapters/postgres/PostgresSettings.js"

describe("DatabaseUrl", () => {
  it("says where a database is, and nothing else from its URL", () => {
    for (const [url, where] of [
      ["postgres://me:secret@host:5433/db?sslmode=require&password=secret#secret", "postgres://host:5433/db"],
      ["postgresql://me:sec%40ret@[::1]/db", "postgres://[::1]/db"],
      ["postgres://me:secret@/db?host=/tmp&port=5433", "postgres://%2Ftmp:5433/db"],
      ["postgres://", "postgres://localhost"],
      ["postgres://me:1secret@two@host/db", "postgres://host/db"],
      // What comes before such a character would be taken for the host and the port.
      ["postgres://me:12/secret@host/db", "postgres:"],
      ["postgres://me:12?secret@host/db", "postgres:"],
      ["postgres://me:12#secret@host/db", "postgres:"],
      ["me:secret@host", "postgres:"]
    ] as const) {
      expect([url, DatabaseUrl.where(url, {})]).toEqual([url, where])
    }
    const env = { PGHOST: "there", PGPORT: "5434", PGDATABASE: "usual" }
    expect(DatabaseUrl.where("postgres://me@/", env)).toBe("postgres://there:5434/usual")
    expect(DatabaseUrl.where("postgres://host/db", env)).toBe("postgres://host/db")
  })

  it("refuses anything but a database URL, and one whose password is not escaped", () => {
    for (const url of ["postgres://", "postgres://h/d", "postgresql://me@/d", "postgres://me:a%2Fb@h:1/d?x=y"]) {
      expect([url, DatabaseUrl.fault(url)]).toEqual([url, null])
    }
    for (const url of ["", "db", "mysql://h/d", "/tmp db"])
      expect([url, DatabaseUrl.fault(url)]).toEqual([url, "scheme"])
    const cut = ["postgres://me:1/b@h/d", "postgres://me:12?3b@h/d", "postgres://me:12#3b@h/d"]
    for (const url of ["postgres://me:a/b@h/d", ...cut, "postgres://h/d?user=me@there"]) {
      expect([url, DatabaseUrl.fault(url)]).toEqual([url, "form"])
    }
  })

  it.effect("names a schema, for the storage as for the command; the option's goes first", () =>
    Effect.gen(function* () {
      const of = (url: string, schema?: string) =>
        Effect.map(PostgresSettings.checked({ url: Redacted.make(url), schema }), (settings) => [
          Redacted.value(settings.url),
          settings.schema
        ])
      expect(yield* of("postgres://h/d")).toEqual(["postgres://h/d", "skein"])
      expect(yield* of("postgres://h/d?schema=team&sslmode=require")).toEqual([
        "postgres://h/d?sslmode=require",
        "team"
      ])
      expect(yield* of("postgres://h/d?schema=team", "own")).toEqual(["postgres://h/d?", "own"])
      expect((yield* Effect.flip(of("postgres://h/d?schema=No"))).field).toBe("schema")
    })
  )

  it("treats a URL as public only if nothing in it may be secret", () => {
    expect(["postgres://me@h/d", "postgres:///d"].map(DatabaseUrl.isPublic)).toEqual([true, true])
    const secret = [
      "postgres://me:p@h/d",
      "postgres://me@h/d?password=p",
      "postgres://me:p@/d",
      "postgres://me:1/p@h/d"
    ]
    expect(secret.filter(DatabaseUrl.isPublic)).toEqual([])
  })

  it("verifies certificates wherever encryption is required, unless the URL asks for libpq's way", () => {
    expect(DatabaseUrl.forDriver("postgres://h/d?a=b&sslmode=require&c=d")).toBe(
      "postgres://h/d?a=b&sslmode=verify-full&c=d"
    )
    for (const url of [
      "postgres://h/d?sslmode=no-verify",
      "postgres://h/d?sslmode=disable",
      "postgres://h/d?sslmode=require&uselibpqcompat=true",
      "postgres://me:sslmode=require@h/d",
      "postgres://me:a&sslmode=require@h/d"
    ]) {
      expect(DatabaseUrl.forDriver(url)).toBe(url)
    }
  })
})
