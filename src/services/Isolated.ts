/**
 * Layers that share no part with other layers of the same build. The isolated layer itself is shared as any other: however
 * often one value is provided, it is built once.
 */
import { Layer } from "effect"

/** Builds all parts of a layer for this layer alone. `Layer.fresh` would also build them again for each use of it. */
export const isolated = <A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.scopedContext(Layer.build(layer))
