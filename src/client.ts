/** `skein/client`: the Gateway of a server of `skein/http`, in Node and in browsers. */
export * as SkeinClient from "./adapters/http/client/SkeinClient.js"
