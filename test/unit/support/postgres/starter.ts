/** Starts two servers, freezes the second, prints where their data is and on which ports they listen, and stays. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import * as Client from "../../../support/postgres/Client.js"
import * as Server from "../../../support/postgres/Server.js"

const main = Effect.gen(function* () {
  const { start } = yield* Server.make()
  const servers = yield* Effect.all([start, start])
  const data = yield* Client.once<{ readonly data_directory: string }>(servers[0].url, "SHOW data_directory")
  yield* servers[1].freeze
  yield* Console.log([data[0]?.data_directory ?? "", ...servers.map(({ url }) => new URL(url).port)].join(" "))
  yield* Effect.never
})

NodeRuntime.runMain(Effect.scoped(main))
