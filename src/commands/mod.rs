//! Slash commands: what the gateway answers itself instead of asking a model. One row and one file a command.
