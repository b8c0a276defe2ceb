# Takes out of PAM and sshd what `jitctl setup` put there, before the files that it names go: a
# missing module in a PAM service would lock everybody out, of sudo too.
jit_take_out() {
    jit_drop_in=/etc/ssh/sshd_config.d/00-jit.conf

    # Lines of sshd that somebody wrote by hand are theirs; without the program, nobody could log in.
    for jit_file in /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf; do
        [ "$jit_file" != "$jit_drop_in" ] || continue
        grep -Eqs '^[^#]*/usr/sbin/jit-authorized' "$jit_file" || continue
        echo "$jit_file runs /usr/sbin/jit-authorized: without it nobody could log in" >&2
        echo "Take those lines out, reload sshd, and remove the package again." >&2
        return 1
    done

    # So are those of PAM without our mark: a jump over the next line may count on one.
    jit_line='^[^#]*[[:space:]/]pam_jit\.so'
    jit_ours='pam_jit\.so( .*)? # jit$|pam_jit\.so # jit[^[:alnum:]]'
    for jit_file in /etc/pam.d/*; do
        [ -f "$jit_file" ] || continue
        jit_found=$(grep -En "$jit_line" "$jit_file" | grep -Ev "$jit_ours") || continue
        echo "$jit_file asks pam_jit.so, in a line that jitctl setup did not write: $jit_found" >&2
        echo "Take those lines out, and remove the package again." >&2
        return 1
    done

    if [ -e /etc/jit/jit.toml ] && command -v jitctl >/dev/null; then
        timeout 60 jitctl setup --undo </dev/null ||
            echo "jitctl setup --undo failed; its lines are taken out without it" >&2
    fi

    # Whatever is left is taken out here. Setup marks what it adds with " # jit" at the end of the
    # line, and what it puts out of use with "#jit# " at the beginning.
    for jit_file in /etc/pam.d/* /etc/ssh/sshd_config; do
        [ -f "$jit_file" ] || continue
        grep -Eq -e '^#jit# ' -e ' # jit$' -e "$jit_ours" "$jit_file" || continue
        jit_file=$(readlink -f "$jit_file")
        # A copy first, for owner and mode; renamed last, so that no login finds half a file.
        cp -p "$jit_file" "$jit_file.jit-new"
        sed -E -e '/ # jit$/d' -e "/$jit_ours/d" -e 's/^#jit# //' \
            "$jit_file" >"$jit_file.jit-new"
        mv -f "$jit_file.jit-new" "$jit_file"
    done
    if [ -e "$jit_drop_in" ]; then
        rm -f "$jit_drop_in"
        if [ -d /run/systemd/system ]; then
            # It checks the configuration first; with one that is bad, sshd keeps the old one.
            deb-systemd-invoke try-reload-or-restart ssh.service ||
                echo "sshd did not reload: systemctl status ssh" >&2
        fi
    fi
    rm -f /var/lib/jit/setup/pending /etc/pam.d/jit-setup-trial
    rm -f /etc/pam.d/*.jit-before /etc/ssh/sshd_config.jit-before "$jit_drop_in.jit-before"
}
