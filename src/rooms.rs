//! Holds the code against the table of rooms in docs/architecture.md: which room uses which, that no arrow points up, and
//! that no files import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use syn::punctuated::Punctuated;
use syn::visit::Visit;

type Arrows = BTreeMap<PathBuf, BTreeSet<PathBuf>>;

/// A module's file, what of its children it hands on, and its children.
#[derive(Default)]
struct Module {
    file: PathBuf,
    /// By the name that they have here: the path below this module where they come from.
    handed_on: BTreeMap<String, Vec<String>>,
    children: BTreeSet<String>,
}

/// All modules by their paths; that of the crate is empty.
type Modules = BTreeMap<Vec<String>, Module>;

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|path| path.is_ident("test"))
    })
}

fn parse(file: &Path) -> syn::File {
    let text = std::fs::read_to_string(file).unwrap();
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Every path that a `use` names, with the name that it gets here.
fn used(tree: &syn::UseTree, before: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
    match tree {
        syn::UseTree::Path(path) => used(&path.tree, &with(&path.ident), found),
        syn::UseTree::Name(name) if name.ident == "self" => {
            found.push((before.to_vec(), before.last().cloned().unwrap_or_default()));
        }
        syn::UseTree::Name(name) => found.push((with(&name.ident), name.ident.to_string())),
        syn::UseTree::Rename(name) => found.push((with(&name.ident), name.rename.to_string())),
        syn::UseTree::Glob(_) => found.push((before.to_vec(), String::new())),
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                used(tree, before, found);
            }
        }
    }
}

/// Finds the modules from one on, those for tests left out.
fn discover(path: &[String], file: PathBuf, modules: &mut Modules) {
    let directory = match file.file_stem().and_then(|stem| stem.to_str()) {
        Some("mod" | "lib") => file.parent().unwrap().to_path_buf(),
        _ => file.with_extension(""),
    };
    let mut module = Module::default();
    for item in parse(&file).items {
        match item {
            syn::Item::Mod(child) if child.content.is_none() && !is_for_tests(&child.attrs) => {
                let name = child.ident.to_string();
                let flat = directory.join(&name).with_extension("rs");
                let nested = directory.join(&name).join("mod.rs");
                let file = if flat.exists() { flat } else { nested };
                discover(&[path, std::slice::from_ref(&name)].concat(), file, modules);
                module.children.insert(name);
            }
            syn::Item::Use(item) if !matches!(item.vis, syn::Visibility::Inherited) => {
                let mut found = Vec::new();
                used(&item.tree, &[], &mut found);
                module
                    .handed_on
                    .extend(found.into_iter().map(|(path, name)| (name, path)));
            }
            _ => {}
        }
    }
    module.file = file;
    modules.insert(path.to_vec(), module);
}

/// The file in which what a path names is defined; none where that is not in this crate.
fn file_of(path: &[String], modules: &Modules) -> Option<PathBuf> {
    let mut at: Vec<String> = Vec::new();
    for (index, part) in path.iter().enumerate() {
        let module = modules.get(&at)?;
        if module.children.contains(part) {
            at.push(part.clone());
        } else if let Some(from) = module.handed_on.get(part).filter(|from| {
            module.children.contains(&from[0]) || ["crate", "super"].contains(&from[0].as_str())
        }) {
            let further = absolute(from, &at, module);
            return file_of(&[&further[..], &path[index + 1..]].concat(), modules);
        } else {
            break;
        }
    }
    modules.get(&at).map(|module| module.file.clone())
}

/// A path as it is written in a module, from the crate on; empty for one that leads elsewhere.
fn absolute(path: &[String], at: &[String], module: &Module) -> Vec<String> {
    match path[0].as_str() {
        "crate" => path[1..].to_vec(),
        "self" => [at, &path[1..]].concat(),
        "super" => {
            let up = path.iter().take_while(|part| *part == "super").count();
            [&at[..at.len() - up], &path[up..]].concat()
        }
        first if module.children.contains(first) => [at, path].concat(),
        _ => Vec::new(),
    }
}

/// The paths that a file uses.
#[derive(Default)]
struct Uses {
    paths: Vec<Vec<String>>,
    /// How many modules that have no file of their own are around what is visited.
    inline: usize,
}

impl Uses {
    fn add(&mut self, path: Vec<String>) {
        let up = path.iter().take_while(|part| *part == "super").count();
        if up == 0 || self.inline == 0 {
            self.paths.push(path);
        } else if up >= self.inline {
            let mut from_file = vec!["super".to_owned(); up - self.inline];
            from_file.extend_from_slice(&path[up..]);
            if up == self.inline {
                from_file.insert(0, "self".into());
            }
            self.paths.push(from_file);
        }
    }
}

impl<'ast> Visit<'ast> for Uses {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_for_tests(&item.attrs) {
            self.inline += 1;
            syn::visit::visit_item_mod(self, item);
            self.inline -= 1;
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_for_tests(&item.attrs) {
            syn::visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        // What is handed on is used by whoever takes it.
        if matches!(item.vis, syn::Visibility::Inherited) && !is_for_tests(&item.attrs) {
            let mut found = Vec::new();
            used(&item.tree, &[], &mut found);
            found.into_iter().for_each(|(path, _)| self.add(path));
        }
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        // Most take expressions, separated by commas; what others take is not seen.
        let parser = Punctuated::<syn::Expr, syn::Token![,]>::parse_terminated;
        if let Ok(expressions) = called.parse_body_with(parser) {
            let mut inside = Uses {
                inline: self.inline,
                ..Uses::default()
            };
            expressions.iter().for_each(|one| inside.visit_expr(one));
            self.paths.extend(inside.paths);
        }
        syn::visit::visit_macro(self, called);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let parts = path.segments.iter().map(|part| part.ident.to_string());
            self.add(parts.collect());
        }
        syn::visit::visit_path(self, path);
    }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Which file uses what of which other one, by their paths below `src`.
fn arrows() -> Arrows {
    let mut modules = Modules::new();
    discover(&[], source().join("lib.rs"), &mut modules);
    let below = |file: &Path| file.strip_prefix(source()).unwrap().to_path_buf();
    let mut arrows = Arrows::new();
    for (at, module) in &modules {
        let mut uses = Uses::default();
        uses.visit_file(&parse(&module.file));
        let to = arrows.entry(below(&module.file)).or_default();
        for path in uses.paths {
            let path = absolute(&path, at, module);
            if let Some(file) = (!path.is_empty())
                .then(|| file_of(&path, &modules))
                .flatten()
            {
                if file != module.file {
                    to.insert(below(&file));
                }
            }
        }
    }
    arrows
}

/// A file's room, as the table names it.
fn room(file: &Path) -> String {
    let first = file.iter().next().unwrap().to_str().unwrap();
    if file.iter().count() > 1 {
        format!("{first}/")
    } else {
        first.to_owned()
    }
}

/// The rows of the table: a room, and those that it uses.
fn table() -> Vec<(String, BTreeSet<String>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/architecture.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, table) = text.split_once("| room | what it is | uses |").unwrap();
    let names = |cell: &str| {
        let quoted = cell.split('`').skip(1).step_by(2);
        quoted.map(str::to_owned).collect::<Vec<_>>()
    };
    table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').collect();
            (
                names(cells[1]).concat(),
                names(cells[3]).into_iter().collect(),
            )
        })
        .collect()
}

#[test]
fn the_rooms_use_what_the_table_says() {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, to) in arrows() {
        let rooms = to.iter().map(|file| room(file));
        used.entry(room(&from)).or_default().extend(rooms);
    }
    for (room, uses) in &mut used {
        uses.remove(room);
    }
    let table = table();
    let mut known = BTreeSet::new();
    for (room, said) in &table {
        let uses = used
            .get(room)
            .unwrap_or_else(|| panic!("there is no {room}"));
        assert_eq!(uses, said, "what {room} uses, and what the table says");
        known.insert(room.clone());
    }
    assert_eq!(
        known,
        used.into_keys().collect(),
        "rooms in the table, and in src"
    );
}

#[test]
fn no_arrow_points_up() {
    let table = table();
    let floor = |room: &String| table.iter().position(|(other, _)| other == room);
    for (index, (room, uses)) in table.iter().enumerate() {
        for used in uses {
            assert!(
                floor(used) > Some(index),
                "{room} uses {used}, which stands above it"
            );
        }
    }
}

/// All files that one leads to.
fn reached(from: &Path, arrows: &Arrows) -> BTreeSet<PathBuf> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from.to_path_buf()];
    while let Some(file) = next.pop() {
        for to in &arrows[&file] {
            if reached.insert(to.clone()) {
                next.push(to.clone());
            }
        }
    }
    reached
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let arrows = arrows();
    let reached: BTreeMap<_, _> = arrows
        .keys()
        .map(|file| (file.clone(), reached(file, &arrows)))
        .collect();
    let mut circles = Vec::new();
    for (from, to) in &arrows {
        let back = to.iter().filter(|file| reached[*file].contains(from));
        circles.extend(back.map(|file| format!("{} uses {}", from.display(), file.display())));
    }
    assert!(circles.is_empty(), "in circles:\n{}", circles.join("\n"));
}

#[test]
fn arrows_are_found() {
    let arrows = arrows();
    let uses = |from: &str, to: &str| arrows[Path::new(from)].contains(Path::new(to));
    // By a face, by a path in an expression, and from a parent.
    assert!(uses("journal/journal.rs", "files/layer.rs"));
    assert!(uses("queue/queue.rs", "system/clock.rs"));
    assert!(uses("engine/writer/mod.rs", "engine/writer/failures.rs"));
    assert!(uses("engine/writer/commit.rs", "engine/writer/mod.rs"));
    // What only tests use is none.
    assert!(!uses("engine/alerts.rs", "system/mod.rs"));
}
