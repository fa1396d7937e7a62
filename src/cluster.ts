/** `skein/cluster`: runners on several machines over one PostgreSQL database, and front ends without an engine. */
export * as SkeinCluster from "./adapters/cluster/SkeinCluster.js"
