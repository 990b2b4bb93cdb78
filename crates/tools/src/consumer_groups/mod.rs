//! `kafka-consumer-groups`: lists and describes groups of consumers, sets and deletes what they committed, deletes them.

mod csv;
mod delete;
pub(crate) mod describe;
pub(crate) mod list;
mod options;
mod regex_check;
mod reset;
mod show;
mod when;

use crate::context::Context;
use crate::failure::{Exception, Failure};
use crate::options::Arguments;

/// Runs the tool.
pub(crate) fn run(words: &[String], cx: &mut Context<'_>) -> i32 {
    match execute(words, cx) {
        Ok(()) => 0,
        Err(Failure::Exit(code)) => code,
        Err(Failure::Thrown(exception)) => exception.uncaught(cx),
    }
}

fn execute(words: &[String], cx: &mut Context<'_>) -> Result<(), Failure> {
    let arguments = Arguments::parse(options::TABLE, words)?;
    options::check(&arguments, cx)?;
    let acted = if arguments.has("validate-regex") {
        regex_check::run(&arguments, cx)
    } else {
        crate::admin::block_on(act(&arguments, cx))
    };
    match acted {
        Err(Failure::Thrown(exception)) if exception.is_illegal_argument() => {
            Err(arguments.usage(cx, exception.text()))
        }
        Err(Failure::Thrown(exception)) => {
            // The original says so and ends with exit code 0 all the same.
            print_error(cx, &format!("Executing consumer group command failed due to {}", exception.text()))?;
            write!(cx.err, "{}", exception.trace())?;
            Ok(())
        }
        other => other,
    }
}

async fn act(arguments: &Arguments, cx: &mut Context<'_>) -> Result<(), Failure> {
    let admin = options::admin(arguments)?;
    if arguments.has("list") {
        list::run(arguments, &admin, cx).await
    } else if arguments.has("describe") {
        describe::run(arguments, &admin, cx).await
    } else if arguments.has("delete") {
        delete::groups(arguments, &admin, cx).await
    } else if arguments.has("reset-offsets") {
        reset::run(arguments, &admin, cx).await
    } else {
        delete::offsets(arguments, &admin, cx).await
    }
}

fn print_error(cx: &mut Context<'_>, text: &str) -> Result<(), Failure> {
    Ok(writeln!(cx.out, "\nError: {text}")?)
}

/// The groups that `--group` names, or all with `--all-groups`.
async fn group_ids(arguments: &Arguments, admin: &crate::admin::Admin) -> Result<Vec<String>, Exception> {
    if arguments.has("all-groups") {
        return list::ids(admin).await;
    }
    Ok(arguments.texts("group").into_iter().map(str::to_string).collect())
}
