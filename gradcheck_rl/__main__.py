from gradcheck_rl.cli import leave

leave()
