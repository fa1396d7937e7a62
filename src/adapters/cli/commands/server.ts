/** The commands for a server, and the client that talks to one, loaded in one piece. */
export { connect } from "../ServerClient.js"
export * as openapi from "./openapi.js"
export * as serve from "./serve.js"
