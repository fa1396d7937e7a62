/** Every error that Skein's public operations may fail with, and the errors of each operation. */
import { Option, Schema, SchemaAST } from "effect"
import { EngineClosing, LeaseLost, PlacementNotServed, RunnersUnreachable } from "./EngineErrors.js"
import type { NamedUnion } from "./Named.js"
import {
  InvalidInput,
  SessionNotFound,
  SessionExists,
  SessionDeleting,
  SessionBusy,
  RunNotFound,
  IdempotencyConflict,
  AppendRefused,
  Forbidden,
  MessageNotFound,
  QuestionNotFound,
  QuestionAnswered,
  AssetNotFound,
  AssetFailed,
  RowDamaged,
  CursorGone,
  StorageFailed,
  StorageBusy,
  OutcomeUnknown,
  StorageUnusable,
  ModelUnavailable,
  AgentUnavailable,
  ModelFailed,
  DuplicateTool,
  AwaitInTransaction,
  AwaitOwnSession,
  RunStopped,
  AnswerInvalid,
  ImportRefused
} from "./ErrorClasses.js"

export * from "./EngineErrors.js"
export * from "./ErrorClasses.js"

/** What any write may fail with. */
export const Write = Schema.Union(StorageFailed, StorageBusy, OutcomeUnknown, StorageUnusable)
export type Write = NamedUnion<typeof Write.Type>

/** What any read may fail with. */
export const Read = Schema.Union(StorageFailed, StorageUnusable, RowDamaged)
export type Read = NamedUnion<typeof Read.Type>

/** What an operation that reads a session may fail with. */
export const ReadSession = Schema.Union(InvalidInput, SessionNotFound, ...Read.members)
export type ReadSession = NamedUnion<typeof ReadSession.Type>

/** What an operation that reads a run may fail with. */
export const ReadRun = Schema.Union(InvalidInput, RunNotFound, ...Read.members)
export type ReadRun = NamedUnion<typeof ReadRun.Type>

/** What an operation that reads a question may fail with. */
export const ReadQuestion = Schema.Union(InvalidInput, QuestionNotFound, ...Read.members)
export type ReadQuestion = NamedUnion<typeof ReadQuestion.Type>

/** What `Gateway.entry` may fail with. */
export const ReadEntry = Schema.Union(...ReadSession.members, MessageNotFound)
export type ReadEntry = NamedUnion<typeof ReadEntry.Type>

/** What `Gateway.runs` may fail with. */
export const ReadRuns = Schema.Union(...ReadSession.members, RunNotFound)
export type ReadRuns = NamedUnion<typeof ReadRuns.Type>

/** What `Gateway.await` may fail with. */
export const Await = Schema.Union(...ReadRun.members, AwaitInTransaction, AwaitOwnSession)
export type Await = NamedUnion<typeof Await.Type>

/** What `Gateway.patchMany` may fail with. */
export const ChangeMany = Schema.Union(InvalidInput, Forbidden)
export type ChangeMany = NamedUnion<typeof ChangeMany.Type>

/** What `Gateway.sessions` may fail with. */
export const List = Schema.Union(InvalidInput, ...Read.members)
export type List = NamedUnion<typeof List.Type>

/** What a change to an existing session may fail with. */
export const Change = Schema.Union(
  InvalidInput,
  Forbidden,
  SessionNotFound,
  SessionDeleting,
  ...Write.members,
  RowDamaged
)
export type Change = NamedUnion<typeof Change.Type>

/** What `Gateway.create` may fail with. */
export const Create = Schema.Union(InvalidInput, Forbidden, SessionExists, ...Write.members, RowDamaged)
export type Create = NamedUnion<typeof Create.Type>

/** What `Gateway.send` may fail with. */
export const Send = Schema.Union(
  ...Change.members,
  SessionBusy,
  IdempotencyConflict,
  AssetNotFound,
  EngineClosing,
  PlacementNotServed,
  RunnersUnreachable
)
export type Send = NamedUnion<typeof Send.Type>

/** What `Gateway.resume` may fail with. */
export const Resume = Schema.Union(
  ...Change.members,
  RunNotFound,
  SessionBusy,
  EngineClosing,
  PlacementNotServed,
  RunnersUnreachable
)
export type Resume = NamedUnion<typeof Resume.Type>

/** What `Run.answerAs` may fail with. */
export const AnswerAs = Schema.Union(...Await.members, ...Send.members, ...Resume.members, RunStopped, AnswerInvalid)
export type AnswerAs = NamedUnion<typeof AnswerAs.Type>

/** What `Gateway.recover` may fail with. */
export const Recover = Schema.Union(InvalidInput, Forbidden, ...Read.members)
export type Recover = NamedUnion<typeof Recover.Type>

/** What `Gateway.append` may fail with. */
export const Append = Schema.Union(
  ...Change.members,
  IdempotencyConflict,
  AppendRefused,
  SessionBusy,
  RunnersUnreachable
)
export type Append = NamedUnion<typeof Append.Type>

/** What `Gateway.cancel` may fail with. */
export const Cancel = Schema.Union(RunNotFound, ...Change.members)
export type Cancel = NamedUnion<typeof Cancel.Type>

/** What `Gateway.delete` may fail with. */
export const Delete = Schema.Union(InvalidInput, Forbidden, SessionNotFound, AssetFailed, ...Write.members, RowDamaged)
export type Delete = NamedUnion<typeof Delete.Type>

/** What `Gateway.events` and `Run.events` may fail with. */
export const Events = Schema.Union(...ReadSession.members, CursorGone)
export type Events = NamedUnion<typeof Events.Type>

/** What `Gateway.answer` may fail with. */
export const Answer = Schema.Union(...Change.members, QuestionNotFound, QuestionAnswered, RunnersUnreachable)
export type Answer = NamedUnion<typeof Answer.Type>

/** What `Gateway.saveAsset` may fail with, besides the errors of the content. */
export const SaveAsset = Schema.Union(...Change.members, AssetFailed)
export type SaveAsset = NamedUnion<typeof SaveAsset.Type>

/** What `Gateway.openAsset` may fail with. */
export const OpenAsset = Schema.Union(...ReadSession.members, AssetNotFound, AssetFailed)
export type OpenAsset = NamedUnion<typeof OpenAsset.Type>

/** What `Gateway.deleteAsset` may fail with. */
export const DeleteAsset = Schema.Union(...Change.members, AssetNotFound, AssetFailed)
export type DeleteAsset = NamedUnion<typeof DeleteAsset.Type>

/** What `Gateway.exportSessions` may fail with. */
export const Export = Schema.Union(...ReadSession.members, AssetNotFound, AssetFailed)
export type Export = typeof Export.Type

/** What `Gateway.importSessions` may fail with, besides the errors of the content. */
export const Import = Schema.Union(...Delete.members, SessionExists, ImportRefused)
export type Import = typeof Import.Type

const all = Schema.Union(
  ...Send.members,
  ...Resume.members,
  ...Create.members,
  ...Append.members,
  ...Cancel.members,
  ...Events.members,
  ...Answer.members,
  ...DeleteAsset.members,
  ...Await.members,
  MessageNotFound,
  LeaseLost,
  AgentUnavailable,
  ModelUnavailable,
  ModelFailed,
  DuplicateTool,
  RunStopped,
  AnswerInvalid,
  ImportRefused
)

/** Whether a value is one of Skein's own errors. */
export const is: (value: unknown) => value is typeof all.Type = Schema.is(all)

const Message = Schema.Struct({ message: Schema.String })

/** The encoded form of an error with its message, under the error's name. */
const wired = (error: SchemaAST.AST): SchemaAST.AST =>
  SchemaAST.annotations(Schema.extend(Schema.encodedSchema(Schema.make(error)), Message).ast, {
    [SchemaAST.IdentifierAnnotationId]: Option.getOrUndefined(
      SchemaAST.getIdentifierAnnotation(SchemaAST.typeAST(error))
    )
  })

/**
 * Returns the JSON form of errors for its readers, such as clients over HTTP: tag, fields, and `message`, which is left
 * out again when an error is decoded.
 */
export const withMessage = <A extends Error, I extends object, R>(errors: Schema.Schema<A, I, R>) => {
  const each = SchemaAST.isUnion(errors.ast) ? errors.ast.types : [errors.ast]
  const fields = Schema.make<I & typeof Message.Type, I & typeof Message.Type, R>(SchemaAST.Union.make(each.map(wired)))
  return Schema.transform(fields, errors, {
    strict: true,
    decode: (fields) => fields,
    encode: (fields, { message }) => ({ ...fields, message })
  })
}
