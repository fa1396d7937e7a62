/**
 * `skein/storage`: the storage contract, the domain that it speaks of, and the in-memory storage. A storage of your own
 * is a layer of `Storage`, `StorageReader` and `EventSignals` that takes its limits from `EngineConfig`.
 */
export * as Asset from "./domain/Asset.js"
export * as Batch from "./domain/Batch.js"
export * as Json from "./domain/Json.js"
export * as Lease from "./domain/Lease.js"
export * as Limits from "./domain/Limits.js"
export type { Draft } from "./domain/Live.js"
export * as Message from "./domain/Message.js"
export * as ModelRef from "./domain/ModelRef.js"
export * as Permission from "./domain/Permission.js"
export * as Run from "./domain/Run.js"
export * as Session from "./domain/Session.js"
export * as SessionEvent from "./domain/SessionEvent.js"
export * as SkeinError from "./domain/SkeinError.js"
export * as Transcript from "./domain/Transcript.js"
export * as Usage from "./domain/Usage.js"
export * as EngineConfig from "./services/EngineConfig.js"
export * as EventSignals from "./services/storage/EventSignals.js"
export * as MemoryStorage from "./services/storage/memory/MemoryStorage.js"
export * as Storage from "./services/storage/Storage.js"
