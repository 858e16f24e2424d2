//! The cloud clients against the cloud in a box: happy, faulty, torn and lenient answers.

mod azure;
mod ibm;
