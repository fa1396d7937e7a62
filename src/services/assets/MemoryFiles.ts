/**
 * `AssetFiles` in memory, gone with the layer. For tests and for hosts that keep nothing. As on disk, a content whose
 * marker was removed still accepts writes, and then cannot be placed.
 */
import { Effect, Either, HashMap, Layer, Option, Ref, Stream } from "effect"
import { AssetFiles, FilesFailed } from "./AssetFiles.js"
import type { Service, Upload } from "./AssetFiles.js"

type Pieces = ReadonlyArray<Uint8Array>

/** A placed file has content. A marker has content from its creation until it is placed. */
type Folder = HashMap.HashMap<string, Option.Option<Pieces>>

type State = HashMap.HashMap<string, Folder>

type Transition<A> = (state: State) => Either.Either<readonly [answer: A, after: State], FilesFailed>

const missing = new FilesFailed({ missing: true, detail: "not found" })

const folderOf = (state: State, folder: string): Folder => Option.getOrElse(HashMap.get(state, folder), HashMap.empty)

const find = (state: State, folder: string, name: string): Either.Either<Option.Option<Pieces>, FilesFailed> =>
  Either.fromOption(HashMap.get(folderOf(state, folder), name), () => missing)

const set = (state: State, folder: string, name: string, content: Option.Option<Pieces>): State =>
  HashMap.set(state, folder, HashMap.set(folderOf(state, folder), name, content))

const begin =
  ({ folder, marker }: Upload): Transition<void> =>
  (state) =>
    Either.right([undefined, set(state, folder, marker, Option.none())])

const create =
  ({ folder, marker }: Upload): Transition<void> =>
  (state) =>
    Either.map(find(state, folder, marker), () => [undefined, set(state, folder, marker, Option.some([]))])

const append =
  ({ folder, marker }: Upload, bytes: Uint8Array): Transition<void> =>
  (state) => {
    const content = Option.flatten(Either.getRight(find(state, folder, marker)))
    const after = Option.map(content, (pieces) => set(state, folder, marker, Option.some([...pieces, bytes.slice()])))
    return Either.right([undefined, Option.getOrElse(after, () => state)])
  }

const place =
  ({ folder, marker }: Upload, file: string): Transition<boolean> =>
  (state) => {
    if (HashMap.has(folderOf(state, folder), file)) return Either.right([false, state])
    return Either.filterOrLeft(find(state, folder, marker), Option.isSome, () => missing).pipe(
      Either.map((content) => [true, set(set(state, folder, file, content), folder, marker, Option.none())])
    )
  }

const cut = (pieces: Pieces, offset: number, length: number): Uint8Array => {
  const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0))
  pieces.reduce((at, piece) => (whole.set(piece, at), at + piece.length), 0)
  return whole.slice(offset, offset + length)
}

const make = Effect.gen(function* () {
  const ref = yield* Ref.make<State>(HashMap.empty())

  const change = <A>(transition: Transition<A>): Effect.Effect<A, FilesFailed> =>
    Effect.flatten(
      Ref.modify(ref, (state) => {
        const outcome = transition(state)
        return [
          Either.map(outcome, ([answer]) => answer),
          Either.match(outcome, { onLeft: () => state, onRight: ([, after]) => after })
        ]
      })
    )

  const remove = (folder: string, name: string) =>
    Ref.modify(ref, (state) => [
      HashMap.has(folderOf(state, folder), name),
      HashMap.modify(state, folder, HashMap.remove(name))
    ])

  const service: Service = {
    mostBytes: Number.POSITIVE_INFINITY,
    // Only its own process reaches it.
    age: () => Effect.succeed(0),
    begin: (upload) => change(begin(upload)),
    create: (upload) =>
      Effect.as(change(create(upload)), {
        append: (bytes) => change(append(upload, bytes)),
        sync: Effect.void
      }),
    place: (upload, file) => change(place(upload, file)),
    end: ({ folder, marker }) => remove(folder, marker),
    read: ({ file, folder }, { length, offset }) =>
      Stream.fromEffect(
        Ref.get(ref).pipe(
          Effect.flatMap((state) => find(state, folder, file)),
          Effect.map((content) =>
            cut(
              Option.getOrElse(content, () => []),
              offset,
              length
            )
          )
        )
      ),
    remove: ({ file, folder }) => remove(folder, file),
    removeEmpty: (folder) =>
      Ref.update(ref, (state) => (HashMap.isEmpty(folderOf(state, folder)) ? HashMap.remove(state, folder) : state)),
    folders: Effect.map(Ref.get(ref), (state) => Array.from(HashMap.keys(state))),
    entries: (folder) => Effect.map(Ref.get(ref), (state) => Array.from(HashMap.keys(folderOf(state, folder))))
  }
  return service
})

export const layer: Layer.Layer<AssetFiles> = Layer.effect(AssetFiles, make)
