/**
 * An editor made of the protocol's own SDK, with the agent behind it, in one process: a whole engine, no data on disk.
 * All that the agent sends must be of the protocol's form.
 */
import * as acp from "@agentclientprotocol/sdk"
import { expect } from "@effect/vitest"
import { Chunk, Effect, Layer, Schema, Stream } from "effect"
import * as AcpServer from "../../../../src/adapters/acp/AcpServer.js"
import * as ClientServers from "../../../../src/adapters/acp/ClientServers.js"
import type * as Remarks from "../../../../src/adapters/acp/Remarks.js"
import * as Requests from "../../../../src/adapters/acp/Requests.js"
import * as NodeExec from "../../../../src/adapters/node/NodeExec.js"
import * as TerminalCommands from "../../../../src/adapters/node/TerminalCommands.js"
import * as SkeinTest from "../../../../src/adapters/testing/SkeinTest.js"
import * as Editors from "../../../../src/adapters/tools/Editors.js"
import * as WorkspaceTools from "../../../../src/adapters/tools/WorkspaceTools.js"
import { type Session, SessionId } from "../../../../src/domain/Session.js"
import { Gateway, type Service } from "../../../../src/services/gateway/Gateway.js"
import * as Plan from "../../../../src/services/Plan.js"
import * as Permissions from "../../../../src/services/Permissions.js"
import * as Tool from "../../../../src/services/Tool.js"
import { ScriptedModel } from "../../../../src/services/ScriptedModel.js"
import * as Wire from "./Wire.js"

export const methods = acp.methods

export interface Options {
  readonly capabilities?: acp.ClientCapabilities
  readonly policy?: Permissions.Policy<Permissions.Rules>
  /** Runs before a server says what one of its prompts stands for. Defaults to nothing. */
  readonly beforeExpand?: Effect.Effect<void>
  /** Changes the gateway that the agent works on. Defaults to leaving it as it is. */
  readonly change?: (gateway: Service) => Service
  /** Returns when that gateway is gone for good; the next access is the same one. Defaults to never. */
  readonly gone?: Effect.Effect<void>
  /** Adds handlers to the client besides the one for updates. */
  readonly handle?: (app: acp.ClientApp) => acp.ClientApp
}

/** Asks a person for a colour, or to look at a page. */
const inquire = Tool.make("inquire", { description: "Asks", input: { link: Schema.Boolean } }).handle(({ link }) =>
  Effect.map(
    Tool.ask({
      from: "painter",
      text: "Which one?",
      fields: link
        ? []
        : [
            {
              name: "colour",
              kind: "choice",
              title: "Colour",
              isRequired: true,
              options: [
                { value: "r", title: "Red" },
                { value: "g", title: "Green" }
              ]
            }
          ],
      ...(link ? { link: "https://painter.example/" } : {})
    }),
    (reply) => JSON.stringify(reply)
  )
)

const toolsAgent = (policy: Permissions.Policy<Permissions.Rules>, editors: Editors.Registry) =>
  SkeinTest.layer({ tools: [...WorkspaceTools.all, Plan.tool, inquire], policy }).pipe(
    Layer.provide(NodeExec.layer()),
    Layer.provide(Permissions.layerRules([])),
    Layer.provide(Layer.succeed(Editors.Editors, editors))
  )

/** What is written at one end is read at the other, until the pipe is ended. */
const pipe = () => {
  let end = () => {}
  let push: (bytes: Uint8Array) => void = () => {}
  const readable = new ReadableStream<Uint8Array>({
    start: (controller) => {
      push = (bytes) => controller.enqueue(bytes)
      end = () => {
        push = () => {}
        controller.close()
      }
    }
  })
  return { readable, writable: new WritableStream<Uint8Array>({ write: (bytes) => push(bytes) }), end: () => end() }
}

/** An editor that is initialized. Its agent ends with the scope. */
export const open = ({
  beforeExpand = Effect.void,
  capabilities = {},
  change = (gateway) => gateway,
  gone = Effect.never,
  handle = (app) => app,
  policy = Permissions.allowAll
}: Options = {}) =>
  Effect.gen(function* () {
    const editors = Editors.make()
    const context = yield* Layer.build(toolsAgent(policy, editors))
    const gateway = yield* Effect.provide(Gateway, context)
    const model = yield* Effect.provide(ScriptedModel, context)
    const brought: Array<object> = []
    const serversLeftOut: Array<string> = []
    const says: Array<Remarks.Say> = []
    const toAgent = pipe()
    const toEditor = pipe()
    const promptsOf = (server: string, title: string) => ({
      isOne: (name: string) => name.startsWith(`${server}__`),
      commands: Effect.succeed([
        {
          name: `${server}__find`,
          server,
          about: "Finds a book",
          arguments: [{ name: "title", about: "", isRequired: false }]
        }
      ]),
      expand: (_: string, typed: string) => Effect.as(beforeExpand, { text: `${title} ${typed}.`, files: [] })
    })
    const engine = {
      access: () => Effect.succeed({ gateway: change(gateway), gone }),
      newSession: {},
      contextTokens: () => Effect.succeed(1000),
      readServers: (given: ReadonlyArray<acp.McpServer>, cwd: string) =>
        Effect.sync(() => {
          const { leftOut, servers } = ClientServers.read(given, cwd)
          serversLeftOut.push(...leftOut)
          return { servers, unusable: leftOut.map((name) => [name, `${name} cannot be used`] as const) }
        }),
      bring: (_: Session, servers: object, say: Remarks.Say) =>
        Effect.sync(() => {
          brought.push(servers)
          says.push(say)
          return promptsOf("books", "Find")
        }),
      prompts: () => Effect.succeed(promptsOf("notes", "Look for")),
      editors,
      commands: TerminalCommands.make([])
    }
    let offered: acp.ClientCapabilities = {}
    const ask = yield* Requests.asking(Requests.make({ engine: Effect.succeed(engine), capabilities: () => offered }))
    const onInitialize = (capabilities: acp.ClientCapabilities) => {
      offered = capabilities
    }
    const served = AcpServer.connect(
      { version: "1", ask: () => Promise.resolve(ask), onInitialize },
      toEditor.writable,
      toAgent.readable
    )
    yield* Effect.addFinalizer(() => Effect.sync(() => served.close()))
    const updates: Array<acp.SessionUpdate> = []
    let look = () => {}
    const app = handle(acp.client({ name: "editor" })).onNotification(methods.client.session.update, ({ params }) => {
      updates.push(params.update)
      look()
    })
    const { flaws, stream } = Wire.watch(acp.ndJsonStream(toAgent.writable, toEditor.readable))
    const connection = app.connect(stream)
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        connection.close()
        expect(flaws).toEqual([])
      })
    )
    const { agent } = connection
    const sent = (sessionId: string, text: string) =>
      agent.request(methods.agent.session.prompt, { sessionId, prompt: [{ type: "text", text }] })
    yield* Effect.promise(() =>
      agent.request(methods.agent.initialize, { protocolVersion: 1, clientCapabilities: capabilities })
    )
    return {
      agent,
      gateway,
      model,
      updates,
      /** The servers that sessions were passed. */
      brought,
      serversLeftOut,
      /** Says something in the last session that was passed servers. */
      say: (subject: string, text: string) => says.at(-1)?.(subject, text) ?? Effect.void,
      sent,
      /** Creates a session in a folder. */
      session: (cwd: string) => Effect.promise(() => agent.request(methods.agent.session.new, { cwd, mcpServers: [] })),
      /** Sends a prompt and waits for its end. */
      prompt: (sessionId: string, text: string) => Effect.promise(() => sent(sessionId, text)),
      /** The results that the model was sent for its calls, once nothing runs. */
      answers: (given: string) =>
        Effect.gen(function* () {
          const sessionId = SessionId.make(given)
          for (const { id } of yield* gateway.runs({ sessionId })) yield* gateway.await(yield* gateway.runRef(id))
          const entries = yield* Stream.runCollect(gateway.transcript({ sessionId }))
          return Chunk.toReadonlyArray(entries).flatMap(({ message }) =>
            message.role === "tool" ? [message.text] : []
          )
        }),
      /** Returns once there is an update that matches. */
      until: (isMeant: (update: acp.SessionUpdate) => boolean) =>
        Effect.async<void>((resume) => {
          look = () => (updates.some(isMeant) ? resume(Effect.void) : undefined)
          look()
        }),
      /** Makes the editor go away. */
      leave: Effect.sync(toAgent.end)
    }
  })

/** The results of the tools, in order. */
export const results = (updates: ReadonlyArray<acp.SessionUpdate>) =>
  updates.flatMap((update) =>
    update.sessionUpdate === "tool_call_update" && (update.status === "completed" || update.status === "failed")
      ? [update]
      : []
  )
