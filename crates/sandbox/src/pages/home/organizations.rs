//! Organizations and who belongs to them.

use super::{Notes, SHOWN, Section, newest};
use crate::pages::layout::escape;
use crate::pages::parts;
use crate::scalekit::directory::{Directory, Organization};
use crate::world::World;

pub(super) fn panel(world: &World, notes: &Notes) -> String {
    let directory = &world.directory;
    let all = directory.organizations();
    let rows: String = all.iter().rev().take(SHOWN).map(|row| organization(directory, row)).collect();
    let rows = match rows.as_str() {
        "" => "<p class=\"soft\">None yet.</p>".to_owned(),
        rows => format!("<ul class=\"items\">{rows}</ul>"),
    };
    let content = format!(
        "{form}<div class=\"field\"><label for=\"new-name\">New organization</label>\
         <input type=\"text\" id=\"new-name\" name=\"name\" maxlength=\"200\" autocomplete=\"off\" required></div>\
         <button class=\"main\" name=\"action\" value=\"create\">Create</button></form>{rows}",
        form = Section::Organizations.form("row"),
    );
    Section::Organizations.panel(notes, &newest(all.len(), "/sandbox/truth"), &content)
}

fn organization(directory: &Directory, row: &Organization) -> String {
    let (id, name) = (escape(&row.id), escape(&row.display_name));
    let state = if row.deleted_at.is_some() { "deleted" } else { "live" };
    let members = row.members.iter().filter(|member| member.active).count();
    let people = if members == 1 { "1 person".to_owned() } else { format!("{members} people") };
    let head = format!(
        "<div class=\"head\"><h3>{name}</h3><code>{id}</code><span class=\"soft small\">{people}</span>{}</div>",
        parts::badge(state)
    );
    if row.deleted_at.is_some() {
        return format!("<li>{head}</li>");
    }
    let hidden = format!("<input type=\"hidden\" name=\"id\" value=\"{id}\">");
    let people: String = row
        .members
        .iter()
        .filter(|member| member.active)
        .map(|member| {
            let email = directory.user(&member.user_id).map(|user| escape(&user.email)).unwrap_or_default();
            format!(
                "<li><span>{email} <span class=\"hint\">{roles}</span></span>{form}{hidden}\
                 <input type=\"hidden\" name=\"user\" value=\"{user}\">\
                 <button class=\"slim\" name=\"action\" value=\"remove\">Remove<span class=\"hidden\"> {email} from {name}</span>\
                 </button></form></li>",
                roles = escape(&member.roles.join(", ")),
                form = Section::Organizations.form(""),
                user = escape(&member.user_id),
            )
        })
        .collect();
    let people = match people.as_str() {
        "" => "<p class=\"soft\">Nobody belongs to it.</p>".to_owned(),
        people => format!("<ul class=\"people\">{people}</ul>"),
    };
    let form = Section::Organizations.form("row");
    format!(
        "<li>{head}<details><summary>Manage<span class=\"hidden\"> {name}</span></summary><div class=\"drawer\">{people}\
         {form}{hidden}<div class=\"field\"><label for=\"email-{id}\">Add a person</label>\
         <input type=\"text\" id=\"email-{id}\" name=\"email\" inputmode=\"email\" placeholder=\"e-mail\" autocomplete=\"off\" required></div>\
         <div class=\"field short\"><label for=\"role-{id}\">Role</label><select id=\"role-{id}\" name=\"role\">\
         <option value=\"\">usual</option><option>admin</option><option>member</option></select></div>\
         <button name=\"action\" value=\"add\">Add</button></form>\
         {form}{hidden}<div class=\"field\"><label for=\"name-{id}\">Name</label>\
         <input type=\"text\" id=\"name-{id}\" name=\"name\" value=\"{name}\" maxlength=\"200\" autocomplete=\"off\" required></div>\
         <button name=\"action\" value=\"rename\">Rename</button></form>\
         {form}{hidden}<button class=\"danger\" name=\"action\" value=\"delete\">Delete the organization</button></form>\
         </div></details></li>"
    )
}
