/** An engine over its storage: Gateway, over Runtime, over what runs turns. */
import { Context, Effect, Layer } from "effect"
import { EngineConfig } from "./EngineConfig.js"
import * as Boundary from "./runtime/Boundary.js"
import { Gateway } from "./gateway/Gateway.js"
import * as Routing from "./gateway/Routing.js"
import * as Checkpoints from "./runtime/Checkpoints.js"
import * as Claims from "./runtime/Claims.js"
import * as Deletions from "./runtime/Deletions.js"
import * as Draining from "./runtime/Draining.js"
import * as Drivers from "./runtime/Drivers.js"
import * as Imports from "./runtime/Imports.js"
import * as Heartbeat from "./runtime/Heartbeat.js"
import * as Leases from "./runtime/Leases.js"
import * as LiveRuns from "./runtime/LiveRuns.js"
import * as HostFibers from "./runtime/HostFibers.js"
import * as Recovery from "./runtime/Recovery.js"
import * as Runtime from "./runtime/Runtime.js"
import * as Upkeep from "./runtime/Upkeep.js"
import * as SpanEnds from "./SpanEnds.js"
import * as Stretch from "./Stretch.js"

/** Has the spans of the engine's own fibers end without what was said. */
const quietly = <A, E, R>(making: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(EngineConfig, ({ traceContent }) => (traceContent ? making : SpanEnds.within(making)))

/**
 * The whole engine, with the services that adapters need to have engines work together. It is drained first when it
 * closes: until then whoever waits gets what they wait for.
 */
export const layerOpen = Draining.layer.pipe(
  Layer.provideMerge(Routing.layer),
  Layer.provide([Runtime.layer, Heartbeat.layer]),
  Layer.provide([Recovery.layer, Imports.layer]),
  Layer.provideMerge(Upkeep.layer),
  Layer.provide(Deletions.layer),
  Layer.provide(Claims.layer),
  Layer.provideMerge(Drivers.layer),
  Layer.provide([Boundary.layer, Checkpoints.layer, Leases.layer, HostFibers.layer]),
  Layer.provideMerge(LiveRuns.layer),
  Layer.provide(Stretch.layer),
  Layer.locallyEffect(quietly)
)

/** An engine that neither begins nor takes up runs: it reads, and makes changes that need no run. */
export const layerIdle = Layer.provideMerge(
  Layer.effectDiscard(Effect.flatMap(Drivers.Drivers, ({ drain }) => drain)),
  layerOpen
)

/** The whole engine. */
export const layer = Layer.map(layerOpen, Context.pick(Gateway))
