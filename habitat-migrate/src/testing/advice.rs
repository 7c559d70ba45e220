//! What to install when there is no PostgreSQL to run.

/// One sentence for whoever has to help themselves now.
pub(super) fn for_this_system(wanted: Option<u32>) -> String {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    format!(
        "{}, or npm by which it is fetched, or set HABITAT_PG_BIN to the folder of initdb and postgres",
        install(std::env::consts::OS, &release, wanted)
    )
}

fn install(os: &str, release: &str, wanted: Option<u32>) -> String {
    if os == "macos" {
        return format!("install it: brew install postgresql@{}", wanted.unwrap_or(18));
    }
    let command = families(release).find_map(|family| match family {
        "debian" | "ubuntu" => Some(match wanted {
            Some(major) => format!("apt install postgresql-{major}"),
            None => "apt install postgresql".to_owned(),
        }),
        "fedora" | "rhel" | "centos" => Some("dnf install postgresql-server".to_owned()),
        "suse" | "opensuse" => Some("zypper install postgresql-server".to_owned()),
        "alpine" => {
            Some(format!("apk add postgresql{}", wanted.map(|major| major.to_string()).unwrap_or_default()))
        }
        "arch" => Some("pacman -S postgresql".to_owned()),
        _ => None,
    });
    match command {
        Some(command) => format!("install it: {command}"),
        None => "install PostgreSQL's server".to_owned(),
    }
}

/// The system's own name, then those that it is like.
fn families(release: &str) -> impl Iterator<Item = &str> {
    ["ID=", "ID_LIKE="].into_iter().flat_map(|key| {
        let values = release.lines().filter_map(move |line| line.strip_prefix(key));
        values.flat_map(|value| value.trim_matches(['"', '\'']).split_whitespace())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_is_that_of_the_system() {
        for (os, release, wanted, expected) in [
            ("linux", "NAME=x\nID=debian\n", None, "install it: apt install postgresql"),
            (
                "linux",
                "ID=linuxmint\nID_LIKE=\"ubuntu debian\"",
                Some(17),
                "install it: apt install postgresql-17",
            ),
            (
                "linux",
                "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"",
                None,
                "install it: dnf install postgresql-server",
            ),
            ("linux", "ID=alpine", Some(16), "install it: apk add postgresql16"),
            ("macos", "", Some(17), "install it: brew install postgresql@17"),
            ("linux", "", None, "install PostgreSQL's server"),
        ] {
            assert_eq!(install(os, release, wanted), expected);
        }
    }
}
