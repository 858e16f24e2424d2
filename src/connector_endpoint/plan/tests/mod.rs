//! Tests of the plan: verdicts of every stage, and what follows from them over many passes against a model of IBM Cloud.
#![expect(clippy::similar_names, reason = "want, wait, word and world are the words of this house")]

mod properties;
mod scenarios;
mod sim;
mod stages;
mod world;
