//! `cloud-in-a-box`: starts the box and says `ready`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use cloud_in_a_box::seed;
use cloud_in_a_box::server::{self, Options};
use cloud_in_a_box::state::World;
use tokio::signal::unix::{SignalKind, signal};

/// The real hosts of Azure and IBM Cloud, answered from memory through an HTTPS forward proxy.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// Where the proxy listens; port 0 = any free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where the control API listens; port 0 = any free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// Folder for ca.pem, uko-ca.pem, env, seed.json, control and ready.
    #[arg(long)]
    dir: PathBuf,
    /// A JSON merge patch upon the usual seed; also what `POST /reset` returns to.
    #[arg(long)]
    seed: Option<PathBuf>,
    /// Also answer as the metadata service at this address, directly and not as a proxy.
    #[arg(long)]
    imds: Option<SocketAddr>,
    /// End when standard input is closed.
    #[arg(long)]
    exit_with_stdin: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cloud-in-a-box: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let options = Options {
        listen: arguments.listen,
        control: arguments.control,
        imds: arguments.imds,
        dir: arguments.dir,
        world: world(arguments.seed)?,
    };
    let mut running = server::start(options).await?;
    println!("ready");
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        ended = running.ended() => ended?,
        _ = terminated.recv() => {}
        stopped = tokio::signal::ctrl_c() => stopped?,
        () = input_closed(arguments.exit_with_stdin) => {}
    }
    Ok(())
}

fn world(patch: Option<PathBuf>) -> Result<World, Box<dyn std::error::Error + Send + Sync>> {
    let mut world = seed::world();
    if let Some(path) = patch {
        let patch = serde_json::from_slice(&std::fs::read(&path)?)?;
        world.merge(&patch).map_err(|why| format!("{}: {why}", path.display()))?;
    }
    Ok(world)
}

async fn input_closed(wanted: bool) {
    if !wanted {
        return std::future::pending().await;
    }
    // A thread of its own: the runtime would wait for a blocking read when it ends on a signal.
    let (closed, wait) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = closed.send(());
    });
    let _ = wait.await;
}
