/**
 * A loopback proxy between a client and a PostgreSQL server. It knows which statements pass, so that a test can have a
 * connection cut at an exact point: before a statement is sent on, or after the server has carried it out but before
 * the client hears of it. It can also let nothing pass for a while.
 */
import { Deferred, Effect } from "effect"
import type { Scope } from "effect"
import { connect, type Socket } from "node:net"
import * as Loopback from "../Loopback.js"
import * as Wire from "./Wire.js"

interface Statement {
  readonly text: string
  /** Counts the statements that pass, over all connections, from 1, beginning when the cut was ordered. */
  readonly number: number
}

export interface Cut {
  readonly when: (statement: Statement) => boolean
  /**
   * `unsent`: the server never sees the statement. `unheard`: the server carries it out, and the client never hears of
   * it.
   */
  readonly what: "unsent" | "unheard"
}

export const atBegin: Cut = { when: ({ text }) => /^\s*(?:begin|start transaction)\b/i.test(text), what: "unsent" }
export const atStatement = (count: number): Cut => ({ when: ({ number }) => number === count, what: "unsent" })

const isCommit = ({ text }: Statement) => /^\s*commit\b/i.test(text)
export const beforeCommit: Cut = { when: isCommit, what: "unsent" }
export const afterCommit: Cut = { when: isCommit, what: "unheard" }

export interface Proxy {
  /** The server's URL, by way of the proxy. */
  readonly url: string
  /** The texts of the statements that clients have sent so far. */
  readonly statements: ReadonlyArray<string>
  /** The codes of the errors that the server has sent so far. */
  readonly failures: ReadonlyArray<string>
  /** Cuts the next connection that reaches this point, once. `reached` waits for that. */
  readonly cut: (cut: Cut) => Effect.Effect<{ readonly reached: Effect.Effect<void> }>
  /** Cuts all connections now. */
  readonly cutAll: Effect.Effect<void>
  /** Until the scope closes, nothing passes, new connections wait, and nobody is notified. Then all of it goes on. */
  readonly partition: Effect.Effect<void, never, Scope.Scope>
  /** Sends new connections to another server from now on, as when a host name moves. */
  readonly redirect: (url: string) => Effect.Effect<void>
  /** How many connections are open now. */
  readonly connections: () => number
  /** Waits until `holds` returns true. It is checked whenever a statement arrives or a connection comes or goes. */
  readonly until: (holds: () => boolean) => Effect.Effect<void>
}

interface Order {
  readonly cut: Cut
  number: number
  readonly reached: Deferred.Deferred<void>
}

interface Asked {
  /** Numbers the units, each answered with one ReadyForQuery. */
  readonly unit: number
  /** The order that waits for this statement's answer. */
  readonly order: Order | null
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
}

const join = (messages: ReadonlyArray<Wire.Message>) => Buffer.concat(messages.map(({ bytes }) => bytes))

export const make = (url: string): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    let target = new URL(url)
    const sockets = new Set<Socket>()
    const pairs = new Set<Pair>()
    const statements: Array<string> = []
    const failures: Array<string> = []
    let orders: ReadonlyArray<Order> = []
    const waiting = new Set<() => void>()
    const happened = () => waiting.forEach((look) => look())
    let isOpen = true

    const end = (pair: Pair) => {
      pairs.delete(pair)
      pair.client.destroy()
      pair.server.destroy()
    }

    /** The order that applies to a statement. It is carried out only once. */
    const meets = (text: string): Order | null => {
      statements.push(text)
      happened()
      for (const order of orders) order.number += 1
      const order = orders.find(({ cut, number }) => cut.when({ text, number })) ?? null
      orders = orders.filter((other) => other !== order)
      return order
    }

    const hold = ({ client, server }: Pair) => {
      client.pause()
      server.pause()
    }
    const release = ({ client, server }: Pair) => {
      client.resume()
      server.resume()
    }

    const pass = (client: Socket) => {
      const server = connect({ host: target.hostname, port: Number(target.port), noDelay: true })
      const pair = { client, server }
      pairs.add(pair)
      happened()
      const readClient = Wire.reader(true)
      const readServer = Wire.reader(false)
      const statementOf = Wire.statements()
      /** Statements that have no answer yet. */
      const asked: Array<Asked> = []
      let units = 0
      let answered = 0
      let isStarted = false

      /** Returns the order that stops the client's messages at this one. */
      const fromClient = (message: Wire.Message): Order | null => {
        const text = statementOf(message)
        const order = text === null ? null : meets(text)
        if (order?.cut.what === "unsent") return order
        if (text !== null) asked.push({ unit: units, order })
        if (Wire.endsUnit(message)) units += 1
        return null
      }
      client.on("data", (chunk: Buffer) => {
        const passing: Array<Wire.Message> = []
        for (const message of readClient(chunk)) {
          if (!pairs.has(pair)) return
          if (Wire.asksForEncryption(message)) {
            client.write("N")
            continue
          }
          const order = fromClient(message)
          if (order !== null) {
            pairs.delete(pair)
            // What came before it still arrives.
            server.end(join(passing))
            client.destroy()
            Deferred.unsafeDone(order.reached, Effect.void)
            return
          }
          passing.push(message)
        }
        server.write(join(passing))
      })

      /** Whether the server's message passes; or the order that is carried out at it. */
      const fromServer = (message: Wire.Message): boolean | Order => {
        const isReady = Wire.isReady(message)
        const failure = Wire.failureCode(message)
        if (failure !== null) failures.push(failure)
        if (!isStarted) {
          isStarted = isReady
          return true
        }
        const order = asked[0]?.unit === answered ? asked[0].order : null
        const isEnd = isReady || Wire.endsStatement(message)
        if (order !== null) return isEnd ? order : false
        if (isEnd && asked[0]?.unit === answered) asked.shift()
        if (isReady) {
          // After an error, the rest of the unit is not run.
          while (asked[0]?.unit === answered) asked.shift()
          answered += 1
        }
        return true
      }
      server.on("data", (chunk: Buffer) => {
        const passing: Array<Wire.Message> = []
        for (const message of readServer(chunk)) {
          if (!pairs.has(pair)) return
          const found = fromServer(message)
          if (found === true) passing.push(message)
          else if (found !== false) {
            pairs.delete(pair)
            client.end(join(passing))
            server.destroy()
            Deferred.unsafeDone(found.reached, Effect.void)
            return
          }
        }
        client.write(join(passing))
      })

      for (const [socket, other] of [
        [client, server],
        [server, client]
      ] as const) {
        sockets.add(socket)
        socket.on("error", () => end(pair))
        socket.on("close", () => {
          sockets.delete(socket)
          pairs.delete(pair)
          other.end()
          happened()
        })
      }
      if (!isOpen) hold(pair)
    }

    const own = new URL(url)
    own.port = `${yield* Loopback.relay(pass, sockets)}`

    return {
      url: own.href,
      statements,
      failures,
      cut: (cut) =>
        Effect.map(Deferred.make<void>(), (reached) => {
          orders = [...orders, { cut, number: 0, reached }]
          return { reached: Deferred.await(reached) }
        }),
      cutAll: Effect.sync(() => {
        for (const pair of pairs) end(pair)
      }),
      partition: Effect.acquireRelease(
        Effect.sync(() => {
          isOpen = false
          for (const pair of pairs) hold(pair)
        }),
        () =>
          Effect.sync(() => {
            isOpen = true
            for (const pair of pairs) release(pair)
          })
      ),
      redirect: (url) =>
        Effect.sync(() => {
          target = new URL(url)
        }),
      connections: () => pairs.size,
      until: (holds) =>
        Effect.async<void>((resume) => {
          const look = () => {
            if (holds()) resume(Effect.void)
          }
          waiting.add(look)
          look()
          return Effect.sync(() => waiting.delete(look))
        })
    }
  })
