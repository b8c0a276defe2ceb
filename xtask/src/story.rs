//! How the demo prints: a heading for each step, each command as a person types it, what came back.

use std::io::{IsTerminal, Write};
use std::time::Duration;
use tests::error::Result;
use tests::{Instance, Outcome, Person, Terminal};

/// `text` in an ANSI style, where there is a terminal to show it.
pub fn styled(style: &str, text: &str) -> String {
    if std::io::stdout().is_terminal() {
        format!("\x1b[{style}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Prints a heading.
pub fn step(number: u32, title: &str) {
    println!("\n{}", styled("1", &format!("── {number}. {title}")));
}

/// Prints a remark of the narrator.
pub fn remark(text: &str) {
    println!("{}", styled("2", &format!("   {text}")));
}

/// Prints an administrator's command and what it said.
pub fn administrator(outcome: &Outcome) {
    command("root@web-1#", &outcome.command);
    print!("{}", outcome.both());
    flush();
}

/// Prints a command that is about to be run.
pub fn command(prompt: &str, line: &str) {
    println!("{} {line}", styled("1;32", prompt));
}

/// A terminal whose screen is printed as it comes.
pub struct Screen {
    terminal: Terminal,
}

impl Screen {
    /// A terminal on `person`'s laptop.
    pub fn laptop(instance: &Instance, person: &Person, line: &str) -> Result<Self> {
        command(&format!("{}@laptop$", person.name), line);
        Ok(Self { terminal: instance.terminal(person, line)?.watched(Box::new(show)) })
    }

    /// A terminal of the administrator.
    pub fn root(instance: &Instance, line: &str) -> Result<Self> {
        command("root@web-1#", line);
        Ok(Self { terminal: instance.root_terminal(line)?.watched(Box::new(show)) })
    }

    /// Waits for `prompt` and types something that does not show on the screen.
    pub fn secret(&mut self, prompt: &str, secret: &str) -> Result<String> {
        let before = self.terminal.expect(prompt)?;
        print!("{}", styled("2", &format!("(types {secret})")));
        flush();
        self.terminal.type_line(secret)?;
        Ok(before)
    }

    /// Waits for `prompt` and types `line`.
    pub fn answer(&mut self, prompt: &str, line: &str) -> Result<String> {
        self.terminal.answer(prompt, line)
    }

    /// Waits for `text`.
    pub fn expect(&mut self, text: &str) -> Result<String> {
        self.terminal.expect(text)
    }

    /// Waits at most `limit` for the end; returns the exit code.
    pub fn end_within(&mut self, limit: Duration) -> Result<i32> {
        let code = self.terminal.end_within(limit)?;
        println!();
        Ok(code)
    }

    /// Waits for the end; returns the exit code.
    pub fn end(&mut self) -> Result<i32> {
        self.end_within(tests::terminal::PATIENCE)
    }

    /// All that was on the screen.
    pub fn text(&self) -> String {
        self.terminal.screen()
    }
}

fn show(text: &str) {
    print!("{}", text.replace('\r', ""));
    flush();
}

fn flush() {
    // Nobody is left to be told that standard output is gone.
    let _ = std::io::stdout().flush();
}
