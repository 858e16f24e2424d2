//! The core: TLS, proxy, faults, log and control around the pure handlers.
//!
//! In: [`Options`]. Out: a [`Running`] box whose files lie in its folder. Never: opens a connection to anywhere.

pub mod control;
pub mod exchange;
pub mod faults;
pub mod files;
pub mod log;
pub mod proxy;
pub mod redact;
pub mod tls;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use self::faults::Faults;
use self::log::Log;
use self::tls::Certificates;
use crate::seed;
use crate::state::World;

/// Where the box listens and keeps its files.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address of the proxy; port 0 = any free one.
    pub listen: SocketAddr,
    /// Address of the control API; port 0 = any free one.
    pub control: SocketAddr,
    /// Address at which the metadata service answers directly, if wanted.
    pub imds: Option<SocketAddr>,
    /// Folder for `ca.pem`, `uko-ca.pem`, `env`, `seed.json`, `control`, `ready`.
    pub dir: PathBuf,
    /// The world at the start.
    pub world: World,
}

impl Options {
    /// Any free ports on loopback, the usual seed.
    #[must_use]
    pub fn anywhere(dir: PathBuf) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { listen, control: listen, imds: None, dir, world: seed::world() }
    }
}

/// What every connection shares.
#[derive(Debug)]
pub struct Core {
    world: Mutex<World>,
    start: World,
    faults: Mutex<Faults>,
    log: Mutex<Log>,
    certificates: Certificates,
}

impl Core {
    /// The world, for one look or one change.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// The faults that are set.
    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// The request log.
    pub fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Back to the seed: world, faults and log; sequence numbers go on.
    pub fn reset(&self) {
        self.world().clone_from(&self.start);
        self.faults().clear();
        self.log().clear();
    }
}

/// A box that answers until it is dropped.
#[derive(Debug)]
pub struct Running {
    /// Where the proxy listens.
    pub proxy: SocketAddr,
    /// Where the control API listens.
    pub control: SocketAddr,
    /// Where its files lie.
    pub dir: PathBuf,
    /// What its connections share.
    pub core: Arc<Core>,
    tasks: JoinSet<io::Result<()>>,
}

impl Running {
    /// Waits until a listener ends, which is never without a fault.
    ///
    /// # Errors
    /// The fault.
    pub async fn ended(&mut self) -> io::Result<()> {
        match self.tasks.join_next().await {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(error)) => Err(io::Error::other(error)),
        }
    }
}

/// Binds, writes the files and answers from now on.
///
/// # Errors
/// A port that is taken, a folder that cannot be written.
pub async fn start(options: Options) -> io::Result<Running> {
    let proxy_listener = TcpListener::bind(options.listen).await?;
    let control_listener = TcpListener::bind(options.control).await?;
    let (proxy, control) = (proxy_listener.local_addr()?, control_listener.local_addr()?);
    let certificates = Certificates::new(&options.world.ibm.self_managed.user_id).map_err(io::Error::other)?;
    let core = Arc::new(Core {
        start: options.world.clone(),
        world: Mutex::new(options.world),
        faults: Mutex::default(),
        log: Mutex::default(),
        certificates,
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(proxy::serve(proxy_listener, Arc::clone(&core)));
    tasks.spawn(control::serve(control_listener, Arc::clone(&core)));
    if let Some(address) = options.imds {
        tasks.spawn(proxy::serve(TcpListener::bind(address).await?, Arc::clone(&core)));
    }
    files::write(&options.dir, &core, proxy, control)?;
    Ok(Running { proxy, control, dir: options.dir, core, tasks })
}
