import * as RpcSerialization from "@effect/rpc/RpcSerialization"
import { describe, expect, it } from "@effect/vitest"
import { Redacted } from "effect"
import * as Secret from "../../../../src/adapters/cluster/Secret.js"

const plain = RpcSerialization.ndjson
const secret = Redacted.make("a secret of the cluster")
const ping = { _tag: "Ping" }
const told = { _tag: "Request", text: "où est la laine ? 🧶" }

const bytesOf = (encoded: Uint8Array | string | undefined) => Buffer.from(encoded ?? "")

describe("P9 the secret that cluster members send first", () => {
  it("is sent once per connection; what follows, even the secret again, is understood however it is cut", () => {
    const member = Secret.says(plain, secret).unsafeMake()
    const first = bytesOf(member.encode(ping))
    const all = Buffer.concat([first, bytesOf(member.encode(told)), first])
    expect(all.toString().split(Redacted.value(secret))).toHaveLength(3)
    for (let size = 1; size <= all.length; size++) {
      const runner = Secret.demands(plain, secret).unsafeMake()
      const understood: Array<unknown> = []
      for (let at = 0; at < all.length; at += size) understood.push(...runner.decode(all.subarray(at, at + size)))
      expect(understood).toEqual([ping, told, ping])
    }
  })

  it.each(["", `"another secret of the lot"\n`, `"a secret of the cluster`, `${JSON.stringify(told)}\n`])(
    "ends a connection that begins with anything else: %s",
    (said) => {
      const runner = Secret.demands(plain, secret).unsafeMake()
      expect(() => runner.decode(Buffer.from(`${said}${JSON.stringify(ping)}\n${JSON.stringify(told)}\n`))).toThrow(
        RpcSerialization.RpcSerializationError
      )
    }
  )

  it("is not in a runner's answers, which are understood however they are cut", () => {
    const answer = bytesOf(Secret.demands(plain, secret).unsafeMake().encode(told))
    expect(answer.toString()).not.toContain(Redacted.value(secret))
    const member = Secret.says(plain, secret).unsafeMake()
    const understood: Array<unknown> = []
    for (const byte of answer) understood.push(...member.decode(Uint8Array.of(byte)))
    expect(understood).toEqual([told])
  })
})
