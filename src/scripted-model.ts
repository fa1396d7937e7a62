/** `skein/scripted-model`: a model that plays steps written down before. Needs no network and no key. */
export * as ScriptedModel from "./services/ScriptedModel.js"
