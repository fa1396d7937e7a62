/** Which engines a program has that provides presets to several of its services. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Config, Context, Effect, Layer } from "effect"
import { Agents, Gateway, Permissions } from "skein"
import { SkeinNode } from "skein/node"
import { ScriptedModel } from "skein/scripted-model"
import { EventSignals, MemoryStorage } from "skein/storage"
import { SkeinTest } from "skein/testing"

class Api extends Context.Tag("Api")<Api, Gateway.Service>() {}
class Worker extends Context.Tag("Worker")<Worker, Gateway.Service>() {}

const agent = Layer.provide(
  Agents.layer({ models: ScriptedModel.models, policy: Permissions.askToWrite }),
  ScriptedModel.layer
)

type Engine = Layer.Layer<Gateway.Gateway, unknown, Agents.Agents>

const presets: Readonly<Record<string, (data: string) => Engine>> = {
  "SkeinNode.layer": (data) => SkeinNode.layer({ data }),
  "SkeinNode.layerConfig": (data) => SkeinNode.layerConfig({ data: Config.succeed(data) }),
  "SkeinNode.layerOver": (data) =>
    SkeinNode.layerOver(Layer.provideMerge(MemoryStorage.layer, EventSignals.layer), { data }),
  "SkeinNode.layerMemory": () => SkeinNode.layerMemory(),
  "SkeinTest.layer": () => SkeinTest.layer({ policy: Permissions.askToWrite })
}

/** The gateways of two services, each provided with its engine, in a program that provides the agent to both. */
const servedBy = (api: Engine, worker: Engine) =>
  Layer.build(
    Layer.merge(
      Layer.provide(Layer.effect(Api, Gateway.Gateway), api),
      Layer.provide(Layer.effect(Worker, Gateway.Gateway), worker)
    ).pipe(Layer.provide(agent))
  ).pipe(Effect.map((context) => [Context.get(context, Api), Context.get(context, Worker)] as const))

describe("a preset", () => {
  for (const [name, make] of Object.entries(presets)) {
    it.scopedLive(`${name}: one layer is one engine for all services that it is provided to`, () =>
      Effect.gen(function* () {
        const data = mkdtempSync(join(tmpdir(), "skein-presets-"))
        yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(data, { recursive: true })))
        const shared = make(join(data, "shared"))
        const [api, worker] = yield* servedBy(shared, shared)
        assert.strictEqual(worker, api)
        const [one, other] = yield* servedBy(make(join(data, "one")), make(join(data, "other")))
        const { id } = yield* one.create({})
        assert.strictEqual((yield* Effect.flip(other.session(id)))._tag, "SessionNotFound")
      })
    )
  }
})
