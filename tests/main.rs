//! The one integration test binary: the real gateway and the real command line, over real sockets.
//!
//! Each module is a topic; a test that proves a requirement names its id. Tests run in parallel, each with
//! its own gateway, port and state directory. Inner functions are not called from here, so they stay free
//! to change.
#[cfg(test)]
mod a2ui;
#[cfg(test)]
mod agent;
#[cfg(test)]
mod agents_edit;
#[cfg(test)]
mod arrivals;
#[cfg(test)]
mod auth;
#[cfg(test)]
mod authority;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod backup_kept;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod bounds_config;
#[cfg(test)]
mod bounds_http;
#[cfg(test)]
mod browsing;
#[cfg(test)]
mod busy;
#[cfg(test)]
mod canvas;
#[cfg(test)]
mod channel_damage;
#[cfg(test)]
mod channel_programs;
#[cfg(test)]
mod channel_reach;
#[cfg(test)]
mod channel_trouble;
#[cfg(test)]
mod channels;
#[cfg(test)]
mod channels_cli;
#[cfg(test)]
mod chat;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod cli_json;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod compaction;
#[cfg(test)]
mod config;
#[cfg(test)]
mod config_edit;
#[cfg(test)]
mod config_open;
#[cfg(test)]
mod config_places;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod coverage;
#[cfg(test)]
mod cron;
#[cfg(test)]
mod cron_clock;
#[cfg(test)]
mod cron_files;
#[cfg(test)]
mod cron_mending;
#[cfg(test)]
mod cron_outage;
#[cfg(test)]
mod cron_runs;
#[cfg(test)]
mod cron_tool;
#[cfg(test)]
mod crowds;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod dialects;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod elsewhere;
#[cfg(test)]
mod events;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod exec;
#[cfg(test)]
mod exec_approvals;
#[cfg(test)]
mod exec_bounds;
#[cfg(test)]
mod exec_buttons;
#[cfg(test)]
mod exec_owner;
#[cfg(test)]
mod exec_private;
#[cfg(test)]
mod exec_refused;
#[cfg(test)]
mod exec_remains;
#[cfg(test)]
mod exec_sandbox;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod floors;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod going;
#[cfg(test)]
mod habits;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod hanging_disk;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod heartbeat;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod hooks_door;
#[cfg(test)]
mod http_gone;
#[cfg(test)]
mod http_heads;
#[cfg(test)]
mod http_openai;
#[cfg(test)]
mod http_openai_bad;
#[cfg(test)]
mod http_responses;
#[cfg(test)]
mod http_rpc;
#[cfg(test)]
mod http_shapes;
#[cfg(test)]
mod http_strict;
#[cfg(test)]
mod json_reading;
#[cfg(test)]
mod kept_messages;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod listener;
#[cfg(test)]
mod locks;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod logs_cli;
#[cfg(test)]
mod looking;
#[cfg(test)]
mod makefile;
#[cfg(test)]
mod many_sessions;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod migrate;
#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod model_ends;
#[cfg(test)]
mod model_halves;
#[cfg(test)]
mod models;
#[cfg(test)]
mod models_cli;
#[cfg(test)]
mod nesting;
#[cfg(test)]
mod newer_clients;
#[cfg(test)]
mod node_host;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod nodes_cli;
#[cfg(test)]
mod nodes_events;
#[cfg(test)]
mod nodes_pairing;
#[cfg(test)]
mod nodes_tools;
#[cfg(test)]
mod odd_settings;
#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod old_kernels;
#[cfg(test)]
mod onboard;
#[cfg(test)]
mod onboard_again;
#[cfg(test)]
mod other_hands;
#[cfg(test)]
mod other_user;
#[cfg(test)]
mod owner_place;
#[cfg(test)]
mod owner_tools;
#[cfg(test)]
mod packages;
#[cfg(test)]
mod page;
#[cfg(test)]
mod page_root;
#[cfg(test)]
mod pairing;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod program_faults;
#[cfg(test)]
mod program_login;
#[cfg(test)]
mod prometheus;
#[cfg(test)]
mod protocol_types;
#[cfg(test)]
mod published;
#[cfg(test)]
mod push;
#[cfg(test)]
mod quirks;
#[cfg(test)]
mod regression;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod remote;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod scopes;
#[cfg(test)]
mod secret_files;
#[cfg(test)]
mod service;
#[cfg(test)]
mod service_places;
#[cfg(test)]
mod session_ids;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod sessions_cli;
#[cfg(test)]
mod sessions_files;
#[cfg(test)]
mod shells;
#[cfg(test)]
mod skills;
#[cfg(test)]
mod slash;
#[cfg(test)]
mod small;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod start_flags;
#[cfg(test)]
mod status;
#[cfg(test)]
mod strangers;
#[cfg(test)]
mod subagents;
#[cfg(test)]
mod telegram;
#[cfg(test)]
mod telegram_again;
#[cfg(test)]
mod telegram_blocks;
#[cfg(test)]
mod telegram_kill;
#[cfg(test)]
mod telegram_life;
#[cfg(test)]
mod telegram_load;
#[cfg(test)]
mod telegram_media;
#[cfg(test)]
mod telegram_names;
#[cfg(test)]
mod telegram_net;
#[cfg(test)]
mod telegram_original;
#[cfg(test)]
mod telegram_out;
#[cfg(test)]
mod telegram_people;
#[cfg(test)]
mod telegram_poll;
#[cfg(test)]
mod telegram_refused;
#[cfg(test)]
mod telegram_server;
#[cfg(test)]
mod telegram_signs;
#[cfg(test)]
mod telegram_standing;
#[cfg(test)]
mod telegram_webhook;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tls_peers;
#[cfg(test)]
mod torture;
#[cfg(test)]
mod transcripts;
#[cfg(test)]
mod turns;
#[cfg(test)]
mod typed;
#[cfg(test)]
mod ui;
#[cfg(test)]
mod unopened;
#[cfg(test)]
mod unprivileged;
#[cfg(test)]
mod unread;
#[cfg(test)]
mod unstartable;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod whatsapp_parts;
#[cfg(test)]
mod widths;
#[cfg(test)]
mod windows;
