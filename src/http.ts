/** `skein/http`: the Gateway over HTTP, as layers for a host's own server. */
export * as SkeinHttp from "./adapters/http/SkeinHttp.js"
