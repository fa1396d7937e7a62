/** Every error that Skein's public operations fail with, and which of them each operation may. */
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

/** `Gateway.entry`. */
export const ReadEntry = Schema.Union(...ReadSession.members, MessageNotFound)
export type ReadEntry = NamedUnion<typeof ReadEntry.Type>

/** `Gateway.runs`. */
export const ReadRuns = Schema.Union(...ReadSession.members, RunNotFound)
export type ReadRuns = NamedUnion<typeof ReadRuns.Type>

/** `Gateway.await`. */
export const Await = Schema.Union(...ReadRun.members, AwaitInTransaction, AwaitOwnSession)
export type Await = NamedUnion<typeof Await.Type>

/** `Gateway.patchMany`. */
export const ChangeMany = Schema.Union(InvalidInput, Forbidden)
export type ChangeMany = NamedUnion<typeof ChangeMany.Type>

/** `Gateway.sessions`. */
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

/** `Gateway.create`. */
export const Create = Schema.Union(InvalidInput, Forbidden, SessionExists, ...Write.members, RowDamaged)
export type Create = NamedUnion<typeof Create.Type>

/** `Gateway.send`. */
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

/** `Gateway.resume`. */
export const Resume = Schema.Union(
  ...Change.members,
  RunNotFound,
  SessionBusy,
  EngineClosing,
  PlacementNotServed,
  RunnersUnreachable
)
export type Resume = NamedUnion<typeof Resume.Type>

/** `Run.answerAs`. */
export const AnswerAs = Schema.Union(...Await.members, ...Send.members, ...Resume.members, RunStopped, AnswerInvalid)
export type AnswerAs = NamedUnion<typeof AnswerAs.Type>

/** `Gateway.recover`. */
export const Recover = Schema.Union(InvalidInput, Forbidden, ...Read.members)
export type Recover = NamedUnion<typeof Recover.Type>

/** `Gateway.append`. */
export const Append = Schema.Union(
  ...Change.members,
  IdempotencyConflict,
  AppendRefused,
  SessionBusy,
  RunnersUnreachable
)
export type Append = NamedUnion<typeof Append.Type>

/** `Gateway.cancel`. */
export const Cancel = Schema.Union(RunNotFound, ...Change.members)
export type Cancel = NamedUnion<typeof Cancel.Type>

/** `Gateway.delete`. */
export const Delete = Schema.Union(InvalidInput, Forbidden, SessionNotFound, AssetFailed, ...Write.members, RowDamaged)
export type Delete = NamedUnion<typeof Delete.Type>

/** `Gateway.events` and `Run.events`. */
export const Events = Schema.Union(...ReadSession.members, CursorGone)
export type Events = NamedUnion<typeof Events.Type>

/** `Gateway.answer`. */
export const Answer = Schema.Union(...Change.members, QuestionNotFound, QuestionAnswered, RunnersUnreachable)
export type Answer = NamedUnion<typeof Answer.Type>

/** `Gateway.saveAsset`, besides what the content fails with. */
export const SaveAsset = Schema.Union(...Change.members, AssetFailed)
export type SaveAsset = NamedUnion<typeof SaveAsset.Type>

/** `Gateway.openAsset`. */
export const OpenAsset = Schema.Union(...ReadSession.members, AssetNotFound, AssetFailed)
export type OpenAsset = NamedUnion<typeof OpenAsset.Type>

/** `Gateway.deleteAsset`. */
export const DeleteAsset = Schema.Union(...Change.members, AssetNotFound, AssetFailed)
export type DeleteAsset = NamedUnion<typeof DeleteAsset.Type>

/** `Gateway.exportSessions`. */
export const Export = Schema.Union(...ReadSession.members, AssetNotFound, AssetFailed)
export type Export = typeof Export.Type

/** `Gateway.importSessions`, besides what the content fails with. */
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
 * The JSON form of errors for those who read it, such as clients over HTTP: tag, fields, and `message`, which is left out
 * again when an error is decoded.
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
